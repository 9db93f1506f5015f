"""NVIDIA's own parser and builder on the exported files; TensorRT-RTX builds ahead of time without a GPU."""

from pathlib import Path

import pytest

trt = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_parses_and_builds(files: dict[str, Path], precision):
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    assert parser.parse(files[precision].read_bytes()), [str(parser.get_error(i)) for i in range(parser.num_errors)]

    image = network.get_input(0)
    assert (image.name, image.dtype, tuple(image.shape)) == ("image", trt.uint8, (1, 64, 96, 3))
    outputs = {o.name: o.dtype for o in (network.get_output(i) for i in range(network.num_outputs))}
    assert outputs == {"boxes": trt.float32, "scores": trt.float32, "drivable": trt.uint8, "lane": trt.uint8}

    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    engine = builder.build_serialized_network(network, config)
    assert engine is not None
    assert engine.nbytes > 100_000
