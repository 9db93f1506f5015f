"""What the detection branch of RMT-PPAD answers, before it is read."""

from typing import NamedTuple

from torch import Tensor


class Detections(NamedTuple):
    """Boxes and scores of every stage of the decoder, the encoder's proposals first and the last layer's last.

    Attributes:
        boxes: ``[L, N, Q, 4]`` centre x, y, width, height, in [0, 1] of the image.
        logits: ``[L, N, Q, 1]`` of "here is a vehicle".
        memory: the gated features of the three strides ``[N, C, h, w]``, from which the decoder can run again.
    """

    boxes: Tensor
    logits: Tensor
    memory: tuple[Tensor, ...]
