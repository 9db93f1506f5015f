"""The head: gated features for each kind of task, a transformer that finds vehicles in them, and the mask decoder."""

import math

import torch
from torch import Tensor, nn

from perception.networks.rmt_ppad.adapters import Gate, TaskAdapter
from perception.networks.rmt_ppad.masks import MaskDecoder
from perception.networks.rmt_ppad.outputs import Detections
from perception.networks.rmt_ppad.transformer import LEVELS, MLP, Decoder

# An anchor is a square of this side at stride 8, twice as much a stride further; those within MARGIN of the edge of
# the image are none.
ANCHOR = 0.05
MARGIN = 0.01
# Stands for infinity in logits: its sigmoid is 1, and FP16 can hold it.
FAR = 1e4
# Before any training a query holds a vehicle with this probability (Lin et al., 2017).
PRIOR = 0.01


class Head(nn.Module):
    """Detection and masks from three maps.

    Args:
        inputs: channels of each map.
        channels: what everything is projected to.
        feed_forward: hidden width of the transformer's feed-forward parts.
        mask_channels: what the mask decoder works with.
        heads: of attention.
        layers: of the transformer.
        mask_stride: of the mask decoder.
        queries: that look for vehicles, the most promising positions of all.
    """

    def __init__(
        self,
        inputs: list[int],
        channels: int,
        feed_forward: int,
        mask_channels: int,
        heads: int,
        layers: int,
        mask_stride: int = 1,
        queries: int = 300,
    ):
        super().__init__()
        self.queries = queries
        self.input_proj = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, channels, 1, bias=False), nn.BatchNorm2d(channels)) for width in inputs
        )
        self.task_adapter_det = nn.ModuleList(TaskAdapter(channels) for _ in range(LEVELS))
        self.task_adapter_seg = nn.ModuleList(TaskAdapter(channels) for _ in range(LEVELS))
        self.gate_det = nn.ModuleList(Gate(channels) for _ in range(LEVELS))
        self.gate_seg = nn.ModuleList(Gate(channels) for _ in range(LEVELS))
        self.decoder = Decoder(layers, channels, feed_forward, heads)
        # nn.Embedding draws the same; without memory (``perception.checkpoint``) it would wake torch's compiler for it.
        self.denoising_class_embed = nn.Embedding.from_pretrained(torch.randn(1, channels), freeze=False)
        self.query_pos_head = MLP(4, 2 * channels, channels)
        self.enc_output = nn.Sequential(nn.Linear(channels, channels), nn.LayerNorm(channels))
        self.enc_score_head = nn.Linear(channels, 1)
        self.enc_bbox_head = MLP(channels, channels, channels, 4)
        self.dec_score_head = nn.ModuleList(nn.Linear(channels, 1) for _ in range(layers))
        self.dec_bbox_head = nn.ModuleList(MLP(channels, channels, channels, 4) for _ in range(layers))
        self.seg_head = MaskDecoder(channels, mask_channels, mask_stride)
        self._expect_few_objects()

    def _expect_few_objects(self) -> None:
        for score in (self.enc_score_head, *self.dec_score_head):
            nn.init.constant_(score.bias, math.log(PRIOR / (1 - PRIOR)))
        for box in (self.enc_bbox_head, *self.dec_bbox_head):  # first answers are the anchors themselves
            nn.init.zeros_(box.layers[-1].weight)
            nn.init.zeros_(box.layers[-1].bias)

    def forward(self, maps: list[Tensor]) -> tuple[Detections, Tensor, Tensor]:
        """Maps at strides 8, 16 and 32 to detections and the logits of both masks ``[N, H, W]``."""
        shared = [project(part) for project, part in zip(self.input_proj, maps, strict=True)]
        detection, segmentation = (
            [gate(part, adapter(part)) for gate, adapter, part in zip(gates, adapters, shared, strict=True)]
            for gates, adapters in (
                (self.gate_det, self.task_adapter_det),
                (self.gate_seg, self.task_adapter_seg),
            )
        )
        return self._detect(tuple(detection)), *self.seg_head(*segmentation)

    def denoise(
        self, memory: tuple[Tensor, ...], present: Tensor, boxes: Tensor, blocked: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run the decoder on queries made of known vehicles.

        Args:
            memory: of :class:`Detections`.
            present: whether a query stands for a vehicle or only fills up, bool ``[N, D]``.
            boxes: logits of centre x, y, width, height ``[N, D, 4]``.
            blocked: ``[D, D]``, True where a query may not see another.

        Returns:
            Boxes ``[L, N, D, 4]`` in [0, 1] and logits ``[L, N, D, 1]`` of every layer.
        """
        return self._refine(present.unsqueeze(-1) * self.denoising_class_embed.weight, boxes, memory, blocked)

    def _detect(self, memory: tuple[Tensor, ...]) -> Detections:
        anchors, valid = anchor_logits(_shapes(memory), memory[0])
        features = self.enc_output(_tokens(memory) * valid)
        scores = self.enc_score_head(features)
        best = scores.squeeze(-1).topk(min(self.queries, scores.shape[1]), dim=1).indices.unsqueeze(-1)
        queries = features.gather(1, best.expand(-1, -1, features.shape[2]))
        proposed = self.enc_bbox_head(queries) + anchors.expand(len(best), -1, -1).gather(1, best.expand(-1, -1, 4))
        # In training the proposals learn from their own loss alone.
        start = (queries.detach(), proposed.detach()) if self.training else (queries, proposed)
        boxes, logits = self._refine(*start, memory)
        return Detections(
            torch.cat((proposed.sigmoid()[None], boxes)), torch.cat((scores.gather(1, best)[None], logits)), memory
        )

    def _refine(
        self, queries: Tensor, boxes: Tensor, memory: tuple[Tensor, ...], blocked: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Queries and box logits through all layers: boxes ``[L, N, Q, 4]`` and logits ``[L, N, Q, 1]``."""
        tokens, shapes = _tokens(memory), _shapes(memory)
        reference = previous = boxes.sigmoid()
        refined, logits = [], []
        for layer, box, score in zip(self.decoder.layers, self.dec_bbox_head, self.dec_score_head, strict=True):
            queries = layer(queries, self.query_pos_head(reference), reference, tokens, shapes, blocked)
            step = box(queries)
            # A layer's loss teaches the step before it too, but no earlier one ("look forward twice", DINO, 2022).
            refined.append((step + _inverse_sigmoid(previous)).sigmoid())
            logits.append(score(queries))
            previous = (step + _inverse_sigmoid(reference)).sigmoid() if self.training else refined[-1]
            reference = previous.detach() if self.training else previous
        return torch.stack(refined), torch.stack(logits)


def _tokens(memory: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.flatten(2) for part in memory], 2).transpose(1, 2)


def _shapes(memory: tuple[Tensor, ...]) -> list[tuple[int, int]]:
    return [(part.shape[2], part.shape[3]) for part in memory]


def anchor_logits(shapes: list[tuple[int, int]], like: Tensor) -> tuple[Tensor, Tensor]:
    """Box logits ``[1, T, 4]`` of a square around each position of each map, and 1 for those that count, else 0
    ``[1, T, 1]``; of the device of ``like``, and the latter of its type."""
    boxes = []
    for level, (height, width) in enumerate(shapes):
        y, x = ((torch.arange(n, device=like.device) + 0.5) / n for n in (height, width))
        centre = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).view(-1, 2)
        boxes.append(torch.cat((centre, torch.full_like(centre, ANCHOR * 2**level)), 1))
    anchors = torch.cat(boxes)[None]
    valid = ((anchors > MARGIN) & (anchors < 1 - MARGIN)).all(-1, keepdim=True)
    return anchors.logit().where(valid, torch.full_like(anchors, FAR)), valid.to(like.dtype)


def _inverse_sigmoid(x: Tensor, least: float = 1e-5) -> Tensor:
    return x.clamp(min=least).log() - (1 - x).clamp(min=least).log()
