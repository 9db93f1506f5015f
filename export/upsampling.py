"""Convolve before nearest upsampling, not after it: the same numbers without the largest maps of the network.

Upsampled by two, four neighbours are equal, so a 3x3 convolution sees only four different places of the small map at a
time: it is four convolutions of that map, one for each place in the blocks of 2x2 that it writes. Interleaving what
several convolutions of a small map write is sub-pixel convolution (Shi et al., "Real-Time Single Image and Video
Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network", 2016). In mask heads, whose last layers
read the largest maps and write one or two channels, this is where the time is.
"""

from typing import Any

import numpy as np
import onnx_ir as ir

from export.graph import BY_CHANNEL, add_constant, channels_of, inputs_of, numbers

# Kernels compute channels in blocks of 8 or 16, so that four times a few cost no more than the few; with more of them
# interleaving takes what is saved (ONNX Runtime on a CPU: 1 % faster or slower with up to 16).
MOST_OUTPUTS = 4
# Where on the small map the taps of a 3x3 kernel fall, for the first and the second row (or column) of a block.
_TAPS = ((0, 1, 1), (1, 1, 2))


def absorb_upsampling(graph: ir.Graph) -> None:
    """Put nearest upsampling by two and the 3x3 convolution that reads it into a convolution of the small map, where
    it has few outputs.

    Args:
        graph: all values typed, with shapes; changed in place.
    """
    for node in list(graph):
        following = _readers(node)
        if _doubles(node) and len(following) == 1 and _is_narrow(following[0]):
            _absorb(graph, node, following[0])


def _doubles(node: ir.Node) -> bool:
    """Whether ``node`` writes each position into a block of 2x2."""
    if node.op_type != "Resize" or node.outputs[0].is_graph_output() or len(node.inputs) < 3 or node.inputs[2] is None:
        return False
    settings, scales = _settings(node), node.inputs[2].const_value
    return (
        settings.get("mode", "nearest") == "nearest"
        and settings.get("coordinate_transformation_mode") == "asymmetric"
        and settings.get("nearest_mode") == "floor"
        and scales is not None
        and scales.numpy().tolist() == [1, 1, 2, 2]
    )


def _is_narrow(node: ir.Node) -> bool:
    """Whether ``node`` is a 3x3 convolution of few outputs that keeps the size of its input."""
    if node.op_type != "Conv" or node.outputs[0].is_graph_output() or channels_of(node.outputs[0]) > MOST_OUTPUTS:
        return False
    settings = _settings(node)
    return (
        numbers(inputs_of(node)[1]).shape[2:] == (3, 3)
        and all(step == 1 for name in ("strides", "dilations") for step in settings.get(name, ()))
        and tuple(settings.get("pads", ())) == (1, 1, 1, 1)
        and settings.get("group", 1) == 1
    )


def _absorb(graph: ir.Graph, upsampling: ir.Node, convolution: ir.Node) -> None:
    """``convolution`` reads the small map and writes four channels in place of each, which then become blocks of 2x2.

    An activation stays at its side, where inference libraries fuse the two.
    """
    convolution.replace_input_with(0, upsampling.inputs[0])
    for index, value in enumerate(inputs_of(convolution)[1:], 1):
        array = numbers(value)
        array = _of_blocks(array) if array.ndim > 1 else np.tile(array, 4)
        convolution.replace_input_with(index, add_constant(graph, f"{value.name}/{convolution.name}", array))
    graph.remove(upsampling, safe=True)
    last, following = convolution, _readers(convolution)
    if len(following) == 1 and _is_activation(following[0]):
        convolution.outputs[0].shape = None
        last = following[0]
    settings = (ir.AttrInt64("blocksize", 2), ir.AttrString("mode", "DCR"))
    written = last.outputs[0]
    name = f"{written.name}/blocks"
    interleave = ir.Node("", "DepthToSpace", [None], settings, name=name)
    blocks = interleave.outputs[0]
    blocks.name, blocks.shape, blocks.type = f"{name}/out", written.shape, written.type
    written.shape = None
    ir.convenience.replace_all_uses_with(written, blocks)
    interleave.replace_input_with(0, written)
    graph.insert_after(last, interleave)


def _is_activation(node: ir.Node) -> bool:
    return node.op_type in BY_CHANNEL and len(node.inputs) == 1 and not node.outputs[0].is_graph_output()


def _of_blocks(weight: np.ndarray) -> np.ndarray:
    """``[O, I, 3, 3]`` over the upsampled map as ``[4 O, I, 3, 3]`` over the small one: all outputs for the upper left
    of each block, then the upper right, the lower left, the lower right."""
    blocks = np.zeros((2, 2, *weight.shape), weight.dtype)
    for row, column in np.ndindex(2, 2):
        for y, x in np.ndindex(3, 3):
            blocks[row, column, :, :, _TAPS[row][y], _TAPS[column][x]] += weight[:, :, y, x]
    return blocks.reshape(-1, *weight.shape[1:])


def _readers(node: ir.Node) -> list[ir.Node]:
    return [use.node for use in node.outputs[0].uses()]


def _settings(node: ir.Node) -> dict[str, Any]:
    return {name: attribute.value for name, attribute in node.attributes.items()}
