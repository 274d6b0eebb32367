# Two thin layers on NVIDIA's containers, of one release, since a plan belongs to the TensorRT that built it:
#   triton-gpu  the official server with our two Python-based backends, kept by embedded: its secret, its Python processes
#   engines     TensorRT with the export tools: builds the plans on the GPU they will run on
# What is added is wheels of known content; the compilers in NVIDIA's TensorRT container are its own.

ARG TRITON_RELEASE

FROM nvcr.io/nvidia/tritonserver:${TRITON_RELEASE}-py3 AS triton-gpu
COPY requirements/locks/triton-gpu.txt /tmp/
RUN python3 -m pip install --quiet --no-cache-dir --break-system-packages \
        --no-deps --require-hashes --only-binary :all: --requirement /tmp/triton-gpu.txt
COPY LICENSE /app/
COPY backends /opt/tritonserver/backends
COPY embedded /app/embedded
ENV HOME=/tmp PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1
USER 10001:10001
CMD ["python3", "-m", "embedded", "--host", "0.0.0.0", "--model-repository", "/models/model_repository_gpu"]

FROM nvcr.io/nvidia/tensorrt:${TRITON_RELEASE}-py3 AS engines
WORKDIR /app
COPY requirements/locks/engines.txt /tmp/
RUN python3 -m pip install --quiet --no-cache-dir --break-system-packages \
        --no-deps --require-hashes --only-binary :all: --requirement /tmp/engines.txt
COPY LICENSE ./
COPY export export
COPY speech speech
COPY docker/build_engines.py docker/
ENV HOME=/tmp PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1
USER 10001:10001
CMD ["python3", "docker/build_engines.py"]
