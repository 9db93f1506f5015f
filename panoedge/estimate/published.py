"""Latencies that others published for public networks on these boards, FP16 with TensorRT, batch 1, 640x640.

Facts only: no code and no weights of these networks are here, so their size stands for them: multiply-accumulates and
number of layers with batch norms folded in, as their makers' own summaries print them.
"""

from dataclasses import dataclass

from panoedge.estimate.boards import BOARDS, Board, board


@dataclass(frozen=True)
class Measurement:
    """One published figure.

    Attributes:
        network: its name.
        gmacs: multiply-accumulates of one image, in thousand millions.
        layers: that run, batch norms folded in.
        board: where, in the mode in which it was measured as far as that was said.
        ms: what was published for one image.
        fitted: whether the estimate was fitted to it; the others only check it.
    """

    network: str
    gmacs: float
    layers: int
    board: Board
    ms: float
    fitted: bool = False


_SUPER, _NANO = board("orin-nano"), BOARDS["orin-nano"][-1]
_NX, _AGX = board("orin-nx", "MAXN"), board("agx-orin")

PUBLISHED: tuple[Measurement, ...] = (
    # Ultralytics' Jetson guide: the library's own timing of inference, which includes copies.
    Measurement("YOLO11n", 3.25, 100, _SUPER, 4.9, fitted=True),
    Measurement("YOLO11s", 10.75, 100, _SUPER, 7.3, fitted=True),
    Measurement("YOLO11m", 34.0, 125, _SUPER, 14.0, fitted=True),
    Measurement("YOLO11n", 3.25, 100, _NX, 4.85, fitted=True),
    Measurement("YOLO11s", 10.75, 100, _NX, 7.55, fitted=True),
    Measurement("YOLO11m", 34.0, 125, _NX, 14.5, fitted=True),
    # hokwangchoi/jetson-orin-nano-benchmarks: the GPU alone, MAXN_SUPER.
    Measurement("YOLOv8n", 4.35, 72, _SUPER, 4.43),
    # the0807/YOLOv8-ONNX-TensorRT: an Orin Nano, of which the mode is not said; it was before Super modes came.
    Measurement("YOLOv8n", 4.35, 72, _NANO, 7.3),
    Measurement("YOLOv8s", 14.3, 72, _NANO, 11.4),
    Measurement("YOLOv8m", 39.45, 92, _NANO, 23.6),
    # NVIDIA Isaac ROS, release 3: 71.9 and 30.8 frames a second of a whole graph, 720p camera pictures included; other
    # releases give 56.5 and 87.3 on AGX Orin. MACs of RT-DETR-R50 from its paper; layers counted from its description.
    Measurement("RT-DETR-R50", 68.0, 220, _AGX, 13.9),
    Measurement("RT-DETR-R50", 68.0, 220, _NX, 32.5),
)
