"""Measure a network on labelled frames, with the same metrics wherever it runs."""

from pathlib import Path
from typing import Any

from perception import evaluation
from perception.data import open_dataset
from perception.metrics.protocols import ProtocolName
from perception.progress import Progress
from runtime.backends import Model


def evaluate(model: Model, data: Path, split: str = "val", protocol: ProtocolName = "rmt-ppad") -> dict[str, Any]:
    """Run ``model`` over one split of a data set, with progress on standard error.

    Returns:
        The ``metrics`` record of :mod:`perception.evaluation`, and which ``data`` and ``split`` it is of.

    Raises:
        InputError: the data set cannot be read or the split is empty.
    """
    dataset = open_dataset(data, split)
    with Progress(f"evaluate {split}", len(dataset)) as progress:
        metrics = evaluation.evaluate(
            model.infer, model.info.spec, dataset, protocol, model.batch, progress=progress.step
        )
    return {**metrics, "data": str(data), "split": split}
