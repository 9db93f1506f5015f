# For work on the project itself, on x86. From the repository's root:
#   docker build -f docker/dev.Dockerfile -t panoedge:dev .
#   docker run --rm -it -v "$PWD:/src" panoedge:dev make test        with an NVIDIA GPU: --gpus all
FROM python:3.12-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ git make \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --no-log-init --create-home --uid 1000 panoedge \
    && install --directory --owner panoedge /src
USER panoedge
WORKDIR /src
COPY --chown=panoedge . .
# From locks/dev.txt; torch alone, whose builds differ from machine to machine, is without a checksum.
RUN make install
# Keeps what was installed when the sources are mounted over /src.
VOLUME /src/.venv

CMD ["make", "test"]
