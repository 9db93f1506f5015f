"""Do two files of one network see the same? Measured on pictures and, where there are labels, in the metrics."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from perception.data import Dataset
from perception.errors import GateFailed
from perception.evaluation import Infer, evaluate, headline
from perception.pictures import batches
from perception.progress import Progress
from perception.spec import Deployed, Precision
from perception.tasks import DETECTION, MASK_TASKS, Outputs

# Of a folder or video, so many pictures are looked at.
MOST_PICTURES = 32
# A metric may change by so much, in points; one of detection always by what a single labelled vehicle is worth.
POINTS = 0.1
POINTS_OF_NETWORK = {"rmt-ppad": 0.2}
POINTS_IN_INT8 = 2.0


class Answering(Protocol):
    """An exported file, opened.

    Attributes:
        info: what it says of itself.
        batch: pictures an inference takes.
    """

    @property
    def info(self) -> Deployed: ...

    @property
    def batch(self) -> int: ...

    def infer(self, images: np.ndarray, /) -> Outputs:
        """Answer for uint8 ``[batch, H, W, 3]``."""


@dataclass(frozen=True)
class Limits:
    """The largest differences allowed.

    Attributes:
        score: of a candidate, in [0, 1].
        box: of an edge, in network-input pixels.
        candidates: share of the candidates that may be off by more.
        pixels: share of a mask's pixels that may differ by more than one of their 255 levels; None: any.
    """

    score: float
    box: float
    candidates: float
    pixels: float | None


# FP32 differs by the order of additions alone, which decoders that refine their boxes again and again amplify. What is
# right for the others only metrics can say; these limits catch overflow and a misplaced conversion. Networks that
# choose queries settle ties by rounding, so that in FP16 a candidate in a thousand may be another one.
LIMITS = {
    "fp32": Limits(1e-4, 0.1, 0.0, 0.0),
    "fp16": Limits(0.02, 4.0, 0.001, 0.01),
    "int8": Limits(0.2, 32.0, 0.0, None),
}


@dataclass(frozen=True)
class Measure:
    """One comparison.

    Attributes:
        name: what is compared, with its unit.
        value: the largest difference found.
        mean: the mean difference, where there is one.
        limit: what ``value`` may be at most, where it is judged.
    """

    name: str
    value: float
    mean: float | None = None
    limit: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the limit is kept; a value that is not a number keeps none."""
        # A millionth more, for what is exactly at the limit but for rounding, as one vehicle often is.
        return self.limit is None or self.value <= self.limit * (1 + 1e-6)


@dataclass(frozen=True)
class Parity:
    """All comparisons of one ``file`` with ``reference``, its network or another file of it."""

    measures: tuple[Measure, ...]
    file: str = "it"
    reference: str = "the network"

    def require(self) -> None:
        """Raise :class:`GateFailed` that names every limit missed."""
        missed = [f"{m.name}: {m.value:.4g}, allowed {m.limit:g}" for m in self.measures if not m.passed]
        if missed:
            raise GateFailed(f"{self.file} differs from {self.reference} in {'; '.join(missed)}")

    def table(self) -> str:
        """The measures in columns."""
        title = f"difference to {self.reference}"
        width = max(map(len, (title, *(measure.name for measure in self.measures))))
        lines = [f"{title:{width}}  {'largest':>9}  {'mean':>9}  {'allowed':>9}"]
        for measure in self.measures:
            numbers = (measure.value, measure.mean, measure.limit)
            cells = ("" if number is None else f"{number:.3g}" for number in numbers)
            lines.append(f"{measure.name:{width}}  " + "  ".join(f"{cell:>9}" for cell in cells).rstrip())
        return "\n".join(lines)


def agreement(
    reference: Infer,
    file: Answering,
    precision: Precision,
    pictures: Iterable[np.ndarray],
    labelled: Dataset | None = None,
) -> Parity:
    """Compare what ``file`` answers with what ``reference`` does.

    Args:
        reference: takes batches as ``file`` does.
        file: what is judged.
        precision: what it computes in, which decides how far it may be off.
        pictures: to compare on, uint8 ``[H, W, 3]`` of any size.
        labelled: frames on which metrics are compared too, unless the outputs have failed already.

    Raises:
        InputError: pictures or frames cannot be read.
    """
    parity = Parity(tuple(compare_outputs(reference, file, precision, pictures)))
    if labelled is None or not all(measure.passed for measure in parity.measures):
        return parity
    return Parity((*parity.measures, *compare_metrics(reference, file, precision, labelled)))


def compare_outputs(
    reference: Infer, file: Answering, precision: Precision, looked_at: Iterable[np.ndarray]
) -> list[Measure]:
    """Compare on pictures, uint8 ``[H, W, 3]`` of any size.

    Scores are compared rank by rank, which needs no matching: sorted lists never differ by more than their entries
    do. Boxes are compared with the candidate that is nearest in box and score together, from the reference to the file
    and back, because candidates with nearly equal scores may swap places. Those so close to the last score that they
    may have dropped out of the other list have no partner to be compared with and are left out.
    """
    limits = LIMITS[precision]
    scores, boxes = [], []
    tasks = file.info.spec.tasks
    levels = {task: np.zeros(256, np.int64) for task in MASK_TASKS if task in tasks}
    spoiled = dict.fromkeys(tasks, 0)
    for batch, count in batches(looked_at, file.info.spec, file.batch):
        expected, found = reference(batch), file.infer(batch)
        for index in range(count if DETECTION in tasks else 0):
            if bad := _not_finite(expected, index) + _not_finite(found, index):
                spoiled[DETECTION] += bad
                continue
            of_scores, of_boxes = _candidate_differences(expected, found, index, limits)
            scores.append(of_scores)
            boxes.append(of_boxes)
        for task, counts in levels.items():
            difference = np.abs(getattr(expected, task)[:count].astype(np.int16) - getattr(found, task)[:count])
            counts += np.bincount(difference.ravel(), minlength=256)
            for outputs in (expected, found):
                spoiled[task] += int((~np.isfinite(getattr(outputs, f"{task}_mean")[:count])).sum())
    measures: list[Measure] = []
    if DETECTION in tasks:
        compared = sum(map(len, boxes))
        measures += _candidate_measures("scores", scores, limits.score, "", compared, limits.candidates)
        measures += _candidate_measures("boxes", boxes, limits.box, " px", compared, limits.candidates)
    for task, counts in levels.items():
        measures += _mask_measures(task, counts, limits)
    # Bytes agree with bytes where neither network nor file had numbers to give.
    measures += [Measure(f"{task}, outputs that are not finite", n, limit=0.0) for task, n in spoiled.items() if n]
    return measures


def compare_metrics(reference: Infer, file: Answering, precision: Precision, dataset: Dataset) -> list[Measure]:
    """Compare the headline metrics on labelled frames."""
    records = []
    for label, infer in (("reference", reference), (file.info.precision, file.infer)):
        with Progress(f"metrics, {label}", len(dataset)) as progress:
            records.append(evaluate(infer, file.info.spec, dataset, batch=file.batch, progress=progress.step))
    expected, found = (headline(record) for record in records)
    detection = records[0].get(DETECTION, {"n_gt": 0})
    one_box = 100 / max(1, detection["n_gt"])
    points = POINTS_IN_INT8 if precision == "int8" else POINTS_OF_NETWORK.get(file.info.network, POINTS)
    return [
        Measure(
            f"{name}, points ({100 * expected[name]:.2f} -> {100 * found[name]:.2f})",
            100 * abs(found[name] - expected[name]),
            limit=max(points, one_box) if name in detection else points,
        )
        for name in expected
    ]


def _not_finite(outputs: Outputs, index: int) -> int:
    """Candidates of one picture with numbers that are none."""
    return int((~np.isfinite(np.c_[outputs.boxes[index], outputs.scores[index]])).any(1).sum())  # type: ignore[index]  # has detection


def _candidate_differences(
    expected: Outputs, found: Outputs, index: int, limits: Limits
) -> tuple[np.ndarray, np.ndarray]:
    """Differences of scores ``[S]`` and of boxes ``[M]`` in one picture."""
    lists = [(outputs.boxes[index], outputs.scores[index]) for outputs in (expected, found)]  # type: ignore[index]  # has detection
    # Each score may move by the limit, and so may the last one of the other list.
    sure = lists[0][1].min() + 2 * limits.score
    scores = [np.abs(np.sort(lists[0][1]) - np.sort(lists[1][1]))]
    boxes = []
    for (own_boxes, own_scores), (other_boxes, other_scores) in (lists, lists[::-1]):
        own = own_scores > sure
        of_box = np.abs(own_boxes[own][:, None] - other_boxes).max(-1)
        of_score = np.abs(own_scores[own][:, None] - other_scores)
        nearest = np.maximum(of_box / limits.box, of_score / limits.score).argmin(1)[:, None]
        boxes.append(np.take_along_axis(of_box, nearest, 1).ravel())
        scores.append(np.take_along_axis(of_score, nearest, 1).ravel())
    return np.concatenate(scores), np.concatenate(boxes)


def _candidate_measures(
    what: str, differences: list[np.ndarray], limit: float, unit: str, compared: int, share: float
) -> Iterator[Measure]:
    """``differences`` by picture, of which ``share`` of the candidates ``compared`` may be above ``limit``."""
    together = np.concatenate([*differences, np.zeros(0)])
    name = f"{what},{unit}" if unit else what
    yield Measure(name, float(together.max(initial=0)), float(together.mean()) if together.size else None)
    off = 100 * int((together > limit).sum()) / max(1, compared)
    yield Measure(f"{what}, % off by more than {limit:g}{unit}", off, limit=100 * share)


def _mask_measures(task: str, counts: np.ndarray, limits: Limits) -> Iterator[Measure]:
    """``counts[d]``: pixels that differ by ``d`` levels."""
    total = int(counts.sum())
    yield Measure(f"{task}, levels of 255", float(counts.nonzero()[0].max()), float(counts @ np.arange(256)) / total)
    limit = None if limits.pixels is None else 100 * limits.pixels
    yield Measure(f"{task}, % of pixels off by more than 1", 100 * counts[2:].sum() / total, None, limit)
