"""What may be compared with what, and by how much it differs. The first model of a report is the reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panoedge.report.checks import moment
from panoedge.report.schema import created_of, device_of, run_of
from panoedge.report.text import base_name
from perception.tasks import DETECTION, DRIVABLE, LANE

Model = Mapping[str, Any]
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """One accuracy of the headline table: a key of the metrics of one task."""

    task: str
    key: str
    label: str

    def of(self, model: Model) -> float | None:
        """The fraction this model reached, None where it was not measured."""
        task = (model["metrics"] or {}).get(self.task)
        return task[self.key] if task else None

    def difference(self, model: Model, reference: Model) -> float | None:
        """Fraction gained over ``reference``, None unless both were measured on the same frames by the same rules."""
        mine, its = self.of(model), self.of(reference)
        if mine is None or its is None or circumstances(model) != circumstances(reference):
            return None
        return mine - its


RECALL = Measure(DETECTION, "recall", "recall")
MAP50 = Measure(DETECTION, "mAP50", "mAP50")
DRIVABLE_MIOU = Measure(DRIVABLE, "mIoU", "drivable mIoU")
LANE_IOU = Measure(LANE, "IoU", "lane IoU")
LANE_ACC = Measure(LANE, "ACC", "lane ACC")
MEASURES = (RECALL, MAP50, DRIVABLE_MIOU, LANE_IOU, LANE_ACC)


def circumstances(model: Model) -> tuple[str, ...] | None:
    """What must agree before two accuracies are compared: protocol, name of the data, split and number of frames."""
    metrics = model["metrics"]
    if metrics is None:
        return None
    return metrics["protocol"], base_name(metrics["data"]), metrics["split"], str(metrics["frames"])


def largest_drop(model: Model, reference: Model) -> tuple[Measure, float] | None:
    """The measure that lost most (or gained least) and its difference, None where nothing can be compared."""
    differences = [(measure, measure.difference(model, reference)) for measure in MEASURES]
    known = [(measure, difference) for measure, difference in differences if difference is not None]
    return min(known, key=lambda item: item[1], default=None)


def ratio(model: Model, reference: Model, key: str) -> float | None:
    """Parameters, MACs or bytes of ``model`` over those of ``reference``."""
    return model[key] / reference[key] if model[key] is not None and reference[key] else None


def rate_of(model: Model, rate: str) -> Mapping[str, Any] | None:
    """What was timed at one of the three frame rates."""
    return (model["speed"] or {}).get(rate)


def fps_of(model: Model, rate: str) -> float | None:
    """Frames a second at one of the three frame rates."""
    timed = rate_of(model, rate)
    return timed["fps"] if timed else None


def speed_reference(report: Report, model: Model, rate: str) -> Model | None:
    """What the speed of ``model`` is compared with: the first model that took turns with it, if it did so with any;
    else the first timed at ``rate`` under the very same circumstances. Frame rates of two boards have no ratio."""
    if recorded_ratio(model, rate):
        alike = (other for other in report["models"] if run_of(report, other) == run_of(report, model))
    else:
        alike = (other for other in report["models"] if device_of(report, other) == device_of(report, model))
    return next((other for other in alike if fps_of(other, rate)), None)


def recorded_ratio(model: Model, rate: str) -> Mapping[str, float] | None:
    """Times as fast as the first model that ``model`` took turns with, as the benchmark recorded it."""
    return (rate_of(model, rate) or {}).get("ratio")


def speed_ratio(report: Report, model: Model, rate: str) -> float | None:
    """How many times as fast ``model`` is as its :func:`speed_reference`: measured turn and turn about where possible,
    for a machine may be faster on another day."""
    if recorded := recorded_ratio(model, rate):
        return recorded["median"]
    mine, reference = fps_of(model, rate), speed_reference(report, model, rate)
    its = reference and fps_of(reference, rate)
    return mine / its if mine is not None and its else None


def apart(report: Report, model: Model, rate: str) -> bool:
    """Whether ``model`` and its :func:`speed_reference` were measured in different runs: what differs may be the
    machine's mood."""
    reference = speed_reference(report, model, rate)
    return reference is not None and run_of(report, reference) != run_of(report, model)


def runs(report: Report) -> list[tuple[Mapping[str, Any], list[Model]]]:
    """Every run that was watched, in order, with the models that were measured in it."""
    found: list[tuple[Mapping[str, Any], list[Model]]] = []
    for model in report["models"]:
        if (run := run_of(report, model)) is None:
            continue
        if known := next((models for other, models in found if other == run), None):
            known.append(model)
        else:
            found.append((run, [model]))
    return found


def date_of(report: Report, model: Model) -> str:
    """When ``model`` was measured, for people."""
    return written(created_of(report, model))


def written(created: str) -> str:
    """An ISO 8601 time, for people."""
    return moment(created).strftime("%Y-%m-%d %H:%M %Z")


def devices(report: Report) -> list[Mapping[str, Any]]:
    """Every set of circumstances in which a model was measured, in order of first use."""
    found: list[Mapping[str, Any]] = []
    for model in report["models"]:
        if device_of(report, model) not in found:
            found.append(device_of(report, model))
    return found
