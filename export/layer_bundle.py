"""Write a folder of single layers and whole networks, to be measured where the network will run."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from export.graph import INPUT, OPSET
from export.onnx_writer import export_onnx
from export.upsampling import absorb_upsampling
from perception.files import atomic, remove, writable_folder
from perception.layer_bundle import INDEX, Bundle, write_index
from perception.layer_times import Kind, Layer
from perception.progress import Progress
from perception.spec import ONNX_METADATA_KEY, Deployed, InputSpec, Precision

_IR_VERSION = 9
_SCALES = "scales"
_FLOATS = {"fp32": np.float32, "fp16": np.float16}


def write_bundle(folder: Path, bundle: Bundle, wholes: Mapping[str, Path]) -> None:
    """Write all files of ``bundle``.

    Args:
        folder: to write into.
        bundle: what is to be measured; ``fp32`` or ``fp16``.
        wholes: checkpoints of the whole networks, by the names of their files.

    Raises:
        InputError: the folder cannot be written, or a checkpoint cannot be exported.
    """
    writable_folder(folder)
    # Where this is interrupted, no index of an earlier bundle speaks for files of this one.
    remove(folder / INDEX)
    layers = list(bundle.layers())
    with Progress("writing", len(layers) + len(wholes)) as progress:
        for name, source in wholes.items():
            # Only their speed matters, so nothing is compared.
            export_onnx(source, folder / name, bundle.precision, agree=lambda *_: None)  # type: ignore[arg-type]
            progress.step(note=name)
        for name, layer in layers:
            with atomic(folder / name) as temporary:
                onnx.save(layer_model(layer, bundle.precision), temporary)  # type: ignore[arg-type]
            progress.step(note=str(layer.kind))
    write_index(folder, bundle)


def layer_model(layer: Layer, precision: Precision) -> onnx.ModelProto:
    """One layer with its bias, from ``image`` ``[1, C, H, W]`` (a linear one: ``[1, rows, C]``) to ``out``.

    All weights are equal: what they are does not change the time that a layer takes, and such a file packs well. It is
    labelled as whole networks are, so that engines are built from either in the same way.
    """
    operator = layer.kind.operator
    nodes, shapes = (_linear if operator == "linear" else _convolution)(layer)
    kind = _FLOATS[precision]
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    weights = [
        numpy_helper.from_array(np.full(shape, 1 / np.prod(shape[:-1]), kind), name) for name, shape in shapes.items()
    ]
    read = helper.make_tensor_value_info(INPUT, element, _input_shape(layer))
    written = helper.make_tensor_value_info("out", element, None)
    if operator == "upsampled":
        nodes = _upsampled(nodes)
        weights.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), _SCALES))
    graph = helper.make_graph(nodes, "layer", [read], [written], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
    model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    if operator == "upsampled":
        typed = ir.from_proto(model)
        absorb_upsampling(typed.graph)
        model = ir.to_proto(typed)
    parameters = sum(int(np.prod(shape)) for shape in shapes.values())
    deployed = Deployed(str(layer.kind), InputSpec(layer.kind.size), precision, parameters, 0, "")
    helper.set_model_props(model, {ONNX_METADATA_KEY: json.dumps(deployed.to_json())})
    return model


def _input_shape(layer: Layer) -> tuple[int, ...]:
    kind = layer.kind
    if kind.operator == "linear":
        return 1, kind.size[0], layer.inputs
    return 1, layer.outputs if kind.operator == "depthwise" else layer.inputs, *kind.size


def _linear(layer: Layer) -> tuple[list[onnx.NodeProto], dict[str, tuple[int, ...]]]:
    nodes = [
        helper.make_node("MatMul", [INPUT, "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["out"]),
    ]
    return nodes, {"weight": (layer.inputs, layer.outputs), "bias": (layer.outputs,)}


def _upsampled(convolution: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Nearest upsampling by two before ``convolution``, which must not write the output itself to absorb it."""
    (node,) = convolution
    node.input[0], node.output[0] = "large", "written"
    upsampling = helper.make_node(
        "Resize",
        [INPUT, "", _SCALES],
        ["large"],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return [upsampling, node, helper.make_node("Identity", ["written"], ["out"])]


def _convolution(layer: Layer) -> tuple[list[onnx.NodeProto], dict[str, tuple[int, ...]]]:
    kind: Kind = layer.kind
    transposed = kind.operator == "transposed"
    node = helper.make_node(
        "ConvTranspose" if transposed else "Conv",
        [INPUT, "weight", "bias"],
        ["out"],
        kernel_shape=kind.kernel,
        strides=kind.stride,
        pads=kind.padding * 2,
        dilations=kind.dilation,
        group=layer.outputs if kind.operator == "depthwise" else 1,
    )
    sides = (layer.inputs, layer.outputs) if transposed else (layer.outputs, layer.inputs)
    return [node], {"weight": (*sides, *kind.kernel), "bias": (layer.outputs,)}
