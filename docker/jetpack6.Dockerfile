# JetPack 6.2 (L4T r36.4, Python 3.10). Build from the repository's root:
#   docker build -f docker/jetpack6.Dockerfile -t panoedge .
FROM nvcr.io/nvidia/l4t-jetpack:r36.4.0

RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*

# A virtual environment leaves the system's packages as they are.
RUN python3 -m venv /opt/panoedge
ENV PATH=/opt/panoedge/bin:$PATH

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY perception perception
COPY runtime runtime
RUN pip install --no-cache-dir . onnxruntime

WORKDIR /data
ENTRYPOINT ["python", "-m", "runtime"]
