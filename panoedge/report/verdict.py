"""The figures that decide, of the last model against the first."""

from panoedge.report import text
from panoedge.report.blocks import Fact, Facts
from panoedge.report.compare import (
    MAP50,
    Model,
    Report,
    apart,
    fps_of,
    largest_drop,
    ratio,
    runs,
    speed_ratio,
    speed_reference,
)
from panoedge.report.schema import RATES
from panoedge.report.tables import tone

_SIZES = (("parameters", "parameters", ""), ("macs", "MACs", ""), ("bytes", "file size", "B"))


def verdict(report: Report) -> Facts:
    """What became of the first model; of a single one its own figures. Facts that were not measured are left out."""
    reference, model = report["models"][0], report["models"][-1]
    asked = [*(fact for each in report["models"] for fact in _gates(each)), *_certified(report)]
    if model is reference:
        return Facts(model["name"], [*_own(model), *asked])
    facts = [*_smaller(model, reference), *_accuracy(model, reference), *_faster(report, model, reference)]
    return Facts(f"{model['name']} against {reference['name']}", [*facts, *asked])


def _own(model: Model) -> list[Fact]:
    facts = [Fact(text.quantity(model[key], unit), label) for key, label, unit in _SIZES if model[key] is not None]
    facts += [Fact(text.three_digits(fps), f"{rate} FPS") for rate in RATES if (fps := fps_of(model, rate)) is not None]
    value = MAP50.of(model)
    return facts if value is None else [*facts, Fact(f"{text.percent(value)}{text.NARROW}%", MAP50.label)]


def _smaller(model: Model, reference: Model) -> list[Fact]:
    facts = []
    for key, label, unit in _SIZES:
        if (share := ratio(model, reference, key)) is not None:
            detail = f"{text.quantity(reference[key], unit)} to {text.quantity(model[key], unit)}"
            facts.append(Fact(text.change(share), label, detail))
    return facts


def _faster(report: Report, model: Model, reference: Model) -> list[Fact]:
    facts = []
    for rate in RATES:
        other = speed_reference(report, model, rate)
        if other is None or other is model or (share := speed_ratio(report, model, rate)) is None:
            continue
        detail = f"{text.three_digits(fps_of(other, rate))} to {text.three_digits(fps_of(model, rate))}"
        detail += ", in another run" if apart(report, model, rate) else ""
        against = "" if other is reference else f", against {other['name']}"
        facts.append(Fact(text.times(share), f"{rate} FPS{against}", detail))
    return facts


def _accuracy(model: Model, reference: Model) -> list[Fact]:
    drop = largest_drop(model, reference)
    if drop is None:
        return []
    measure, difference = drop
    label = f"largest drop: {measure.label}" if difference <= 0 else f"smallest gain: {measure.label}"
    detail = f"{text.percent(measure.of(reference))} to {text.percent(measure.of(model))}{text.NARROW}%"
    return [Fact(f"{text.points(difference)} points", label, detail, tone(difference))]


def _certified(report: Report) -> list[Fact]:
    """Whether the figures of all runs can be had again, and the first reason why not."""
    samplers = [run["sampler"] for run, _ in runs(report)]
    if not samplers:
        return []
    doubtful = [sampler for sampler in samplers if not sampler["certified"]]
    if not doubtful:
        return [Fact("certified", "figures", "clocks held still, nobody else at work", "gain")]
    faults = [fault["fault"] for sampler in doubtful for fault in sampler["faults"]]
    more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
    part = f", {len(doubtful)} of {len(samplers)} runs" if len(samplers) > 1 else ""
    return [Fact("not certified", f"figures{part}", f"{faults[0]}{more}" if faults else "", "clear")]


def _gates(model: Model) -> list[Fact]:
    facts = []
    for gate in model.get("gates", []):
        value, shade = ("passed", "gain") if gate["passed"] else ("failed", "heavy")
        measured = text.NONE if gate["value"] is None else f"{gate['value']:.3g}"
        detail = f"{model['name']}: {measured}{text.NARROW}{gate['unit']}{', cut short' if gate.get('cut') else ''}"
        label = f"gate: {gate['limit']:g} {gate['unit']} {gate['of'].replace('_', ' ')}"
        facts.append(Fact(value, label, detail, shade))
    return facts
