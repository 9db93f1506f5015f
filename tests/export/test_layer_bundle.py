from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from export.layer_bundle import layer_model, write_bundle
from perception.errors import InputError
from perception.layer_bundle import Axes, Bundle, read_index
from perception.layer_times import Kind, Layer
from perception.onnx_metadata import read_deployed

LAYERS = {
    Layer(Kind("conv", (8, 12), (3, 3), (2, 2), (1, 1)), 4, 6): nn.Conv2d(4, 6, 3, 2, 1),
    Layer(Kind("conv", (8, 12), (3, 1), (1, 1), (2, 0), (2, 1)), 4, 6): nn.Conv2d(4, 6, (3, 1), 1, (2, 0), (2, 1)),
    Layer(Kind("depthwise", (8, 12), (5, 5), (1, 1), (2, 2)), 1, 6): nn.Conv2d(6, 6, 5, 1, 2, groups=6),
    Layer(Kind("transposed", (8, 12), (4, 4), (2, 2), (1, 1)), 4, 6): nn.ConvTranspose2d(4, 6, 4, 2, 1),
    Layer(Kind("upsampled", (8, 12), (3, 3), (1, 1), (1, 1)), 4, 6): nn.Conv2d(4, 6, 3, 1, 1),
    Layer(Kind("upsampled", (8, 12), (3, 3), (1, 1), (1, 1)), 4, 2): nn.Conv2d(4, 2, 3, 1, 1),
    Layer(Kind("linear", (10, 1)), 4, 6): nn.Linear(4, 6),
}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{layer.kind}, {layer.inputs} to {layer.outputs}")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_computes_what_torch_does(layer, precision):
    model = layer_model(layer, precision)
    module = LAYERS[layer]
    shape = module.weight.mT.shape if layer.kind.operator == "linear" else module.weight.shape
    with torch.no_grad():
        module.weight.fill_(1 / shape[:-1].numel())
        module.bias.fill_(1)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        (source,), kind = session.get_inputs(), {"fp32": np.float32, "fp16": np.float16}[precision]
        image = np.random.default_rng(0).random(source.shape).astype(kind)
        read = torch.from_numpy(image).float()
        if layer.kind.operator == "upsampled":
            read = nn.functional.interpolate(read, scale_factor=2)
        expected = module(read).numpy()
    (found,) = session.run(None, {"image": image})
    assert found.dtype == kind and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 if precision == "fp32" else 4e-3)


def test_a_folder_with_everything(source, tmp_path):
    conv = Kind("conv", (8, 12), (3, 3))
    bundle = Bundle("yolop", "fp32", {conv: Axes((4, 8), (8, 16))}, {"whole.onnx": (Layer(conv, 8, 8),)})
    write_bundle(tmp_path, bundle, {"whole.onnx": source})
    assert read_index(tmp_path) == bundle
    for name, layer in bundle.layers():
        assert read_deployed(tmp_path / name).precision == "fp32"
        assert onnx.load(tmp_path / name).graph.output[0].type.tensor_type.shape.dim[1].dim_value == layer.outputs
    assert read_deployed(tmp_path / "whole.onnx").network == "yolop"
    assert len(list(tmp_path.iterdir())) == 6


def test_an_interrupted_folder_has_no_index(source, tmp_path, monkeypatch):
    conv = Kind("conv", (8, 12), (3, 3))
    bundle = Bundle("yolop", "fp32", {conv: Axes((4,), (8,))}, {"whole.onnx": (Layer(conv, 4, 8),)})
    write_bundle(tmp_path, bundle, {"whole.onnx": source})
    monkeypatch.setattr("export.layer_bundle.layer_model", None)
    with pytest.raises(TypeError):
        write_bundle(tmp_path, replace(bundle, precision="fp16"), {"whole.onnx": source})
    with pytest.raises(InputError, match=r"bundle\.json is absent"):
        read_index(tmp_path)


@pytest.mark.parametrize("outputs, operators", [(8, ["Resize", "Conv"]), (4, ["Conv", "DepthToSpace"])])
def test_upsampling_is_in_a_narrow_convolution_as_in_whole_networks(outputs, operators):
    model = layer_model(Layer(Kind("upsampled", (8, 12), (3, 3), (1, 1), (1, 1)), 4, outputs), "fp32")
    assert [node.op_type for node in model.graph.node] == [*operators, "Identity"]
