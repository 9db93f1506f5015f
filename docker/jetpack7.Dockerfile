# A board with JetPack 7.2: L4T r39.2, Python 3.12, CUDA 13.2, TensorRT 10.16. On the board, from the repository's root:
#   docker build -f docker/jetpack7.Dockerfile -t panoedge:jetpack7 .
# From JetPack 7 on, boards run NVIDIA's images for ARM servers. Those tagged -igpu are for JetPack 6: their TensorRT
# wants a libnvdla_compiler.so that JetPack 7 does not have. Another month's image: --build-arg BASE=...
ARG BASE=nvcr.io/nvidia/tensorrt:26.04-py3
FROM ${BASE}

# The compiler and Python's headers are for pycuda.
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

# TensorRT is the base image's; a virtual environment sees it and leaves the system's packages as they are.
RUN python3 -m venv --system-site-packages /opt/panoedge
ENV PATH=/opt/panoedge/bin:/usr/local/cuda/bin:$PATH
RUN python -c "from importlib.util import find_spec; assert find_spec('tensorrt'), 'the base image has no TensorRT'"

# Locked versions, with checksums; they come before the sources, which change more often.
WORKDIR /src
COPY docker/jetpack7.lock.txt docker/pycuda.lock.txt ./
RUN pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: --requirement jetpack7.lock.txt
# There is no wheel of pycuda: it is compiled here, for the image's CUDA and with the setuptools and NumPy from above.
# Isolated from these, pip would build it with the newest there are. cuRAND is not needed here, and not every base image
# has it.
RUN echo 'CUDA_ENABLE_CURAND = False' > /etc/aksetup-defaults.py
RUN pip install --no-cache-dir --no-deps --require-hashes --no-build-isolation --requirement pycuda.lock.txt
COPY pyproject.toml README.md LICENSE ./
COPY perception perception
COPY export export
COPY runtime runtime
COPY panoedge panoedge
COPY compress compress
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
COPY docker/healthy.py ./

# Devices of the GPU belong to video and render; 1000 is the user that a board is set up with, and owns /data there.
RUN groupadd --force --system render \
    && useradd --no-log-init --create-home --non-unique --uid 1000 --groups video,render panoedge \
    && install --directory --owner panoedge /data
USER panoedge
WORKDIR /data
VOLUME /data

HEALTHCHECK --interval=5m --timeout=1m CMD ["python", "/src/healthy.py"]
CMD ["python", "-m", "runtime", "bench", "student.engine", "--min-fps", "32", "--json", "report.json"]
