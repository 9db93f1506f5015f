"""How each kind of number was measured, in words; only what a report uses."""

from panoedge.report.blocks import Terms
from panoedge.report.compare import Report, rate_of, runs
from panoedge.report.schema import RATES
from panoedge.report.text import listing

_PROTOCOLS = {
    "rmt-ppad": "Every box that the network leaves after suppression, if it needs any, counts: recall is taken over "
    "all of them at IoU 0.50, not at a chosen confidence. mAP50 is the area under the interpolated precision-recall "
    "curve at 101 recalls. Masks are compared frame by frame and the frames averaged. mIoU is the mean of foreground "
    "and background, IoU that of the foreground, lane ACC the mean of sensitivity and specificity.",
    "yolop": "Candidates above confidence 0.001 pass non-maximum suppression at IoU 0.6, at most 300 a frame; recall "
    "is taken over all that remain at IoU 0.50, mAP50 at 101 recalls. Masks are compared per batch and the batches "
    "averaged. mIoU is the mean of foreground and background, IoU that of the foreground, lane ACC the share of "
    "labelled lane pixels found.",
}
_RATES = {
    "network": "Computation on the device only, inputs already there",
    "frame": "One frame from start to end, nothing overlapped",
    "stream": "Sustained rate with the stages of successive frames overlapped",
}
_SIZES = (
    "Weights of the network as deployed; multiply-accumulates for one image at the input size given; bytes of the file "
    "on disk, whose SHA-256 begins as shown. Changes are against the first model."
)
_TIMES = (
    "FPS is frames over seconds of the whole measurement, after warming up. Where models took turns, the ratio is the "
    "median over neighbouring slices, its range below it, against the first of them; else it is of FPS, against the "
    "first model timed at that rate on that very device. p50, p95 and p99 are percentiles of the time of a frame; "
    "jitter is the mean difference between one frame's time and the next; stages of the frame are medians, and medians "
    "need not add up."
)

_ROOMS = (
    "The profiler of the library times every layer; a layer belongs to the tasks whose results need it, and is shared "
    "where all do. Small layers are slowed by being timed: judge by shares, not by sums."
)
_PACED = (
    "Frames come at the rate of a camera, ready or not. One that waits gives way to a newer one and is dropped; a "
    "result is too late one period after its frame came. Age is counted from that moment too."
)
_CERTIFIED = (
    "Certified: clocks were held still and nobody else was at work. Power and energy are those of the whole run, of "
    "the sensors named below; frames per joule are those of stream, of a model measured alone."
)


def rates(report: Report) -> Terms:
    """The frame rates that were timed, each with what it includes."""
    return Terms([(rate, _rate(report, rate)) for rate in RATES if _phrases(report, rate)])


def method(report: Report) -> Terms:
    """The other terms of the tables, each with how it was measured."""
    protocols = dict.fromkeys(model["metrics"]["protocol"] for model in report["models"] if model["metrics"])
    pairs = [(f"Protocol {protocol}", _PROTOCOLS[protocol]) for protocol in protocols]
    pairs.append(("Parameters, MACs, file size", _SIZES))
    if any(model["speed"] for model in report["models"]):
        pairs.append(("FPS, ratio, p50 to p99", _TIMES))
    if any(model.get("profile") for model in report["models"]):
        pairs.append(("Parts of a network", _ROOMS))
    if any(rate_of(model, "paced") for model in report["models"]):
        pairs.append(("Beside a camera", _PACED))
    if runs(report):
        pairs.append(("Figures, power, energy", _CERTIFIED))
    return Terms(pairs)


def _phrases(report: Report, rate: str) -> dict[str, list[str]]:
    """What a rate includes, in the words of whoever timed it, with the models that were timed so."""
    phrases: dict[str, list[str]] = {}
    for model in report["models"]:
        if timed := rate_of(model, rate):
            phrases.setdefault(timed["includes"], []).append(model["name"])
    return phrases


def _rate(report: Report, rate: str) -> str:
    phrases = _phrases(report, rate)
    if len(phrases) == 1:
        return f"{_RATES[rate]}. Timed: {next(iter(phrases))}."
    timed = "; ".join(f"{phrase} ({listing(names)})" for phrase, names in phrases.items())
    return f"{_RATES[rate]}. Timed: {timed}."
