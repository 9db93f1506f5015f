"""The records of this room as plain tables for a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from perception.evaluation import headline
from runtime.bench import RATES
from runtime.paced import gave_too_few

_TIMES = ("mean", "p50", "p90", "p95", "p99", "max")


def count_text(frames: int) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{frames} frame{'s' * (frames != 1)}"


def facts_text(facts: dict[str, Any]) -> str:
    """Names and values, one pair a line, aligned."""
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}}  {value}" for name, value in facts.items())


def model_facts(model: dict[str, Any]) -> dict[str, Any]:
    """What a model record says of the file, for people."""
    height, width = model["input"]["size"]
    return {
        "file": model["file"],
        "sha256": model["sha256"],
        "size": f"{model['bytes'] / 1e6:.2f} MB",
        "network": f"{model['network']}, {model['precision']}",
        "input": f"{height}x{width} (HxW), {model['input']['resize']}",
        "parameters": f"{model['parameters'] / 1e6:.3f} M",
        "MACs": f"{model['macs'] / 1e9:.3f} G",
        **({"GPU memory": _memory(model["memory"])} if "memory" in model else {}),
    }


def metrics_text(metrics: dict[str, Any]) -> str:
    """The five headline figures in percent."""
    figures = headline(metrics)
    title = f"{metrics['data']} ({metrics['split']}), {metrics['frames']} frames, percent"
    names = (name.replace("_", " ") for name in figures)
    values = (f"{100 * value:.1f}" for value in figures.values())
    return f"{title}\n" + _table([["", *names], [metrics["protocol"], *values]])


def drop_text(drop: dict[str, Any]) -> str:
    """How far each figure lies below the reference."""
    names = (name.replace("_", " ") for name in drop["points"])
    # Rounded first, and 0 added: what is next to nothing would be a -0.0.
    values = (f"{round(-points, 1) + 0:+.1f}" for points in drop["points"].values())
    return f"against {drop['reference']}, points\n" + _table([["", *names], ["difference", *values]])


def speed_text(models: Sequence[dict[str, Any]]) -> str:
    """Frame rates and times of all models, rate by rate; the stages of a frame, and what each rate includes."""
    several = len(models) > 1
    heads = ["", "FPS", *(f"{name} ms" for name in _TIMES), "jitter ms", "count"]
    rows = [[*heads, "ratio (range)"] if several else heads]
    notes = []
    for rate in RATES:
        for model in models:
            if not (record := model["speed"][rate]):
                continue
            times = (f"{value:.2f}" for value in (*(record["ms"][name] for name in _TIMES), record["jitter"]))
            row = [f"{rate} {model['name']}" if several else rate, f"{record['fps']:.1f}", *times, str(record["count"])]
            rows.append([*row, _ratio(record.get("ratio"))] if several else row)
        notes += [f"{rate}: {record['includes']}" for model in models[:1] if (record := model["speed"][rate])]
    for model in models:
        stream = model["speed"]["stream"] or {}
        if joule := stream.get("frames_per_joule"):
            notes.append(f"{joule:.3g} frames per joule, at {stream['watts']:.3g} W while streaming")
    splits = [_split(model, several) for model in models if model["speed"]["frame"]]
    return "\n".join([_table(rows), *splits, *notes])


def paced_text(model: dict[str, Any]) -> str:
    """How a model kept up with a camera."""
    paced = model["speed"]["paced"]
    age = ", ".join(f"{name} {paced['age'][name]:.1f}" for name in _TIMES)
    late = f", of which the source gave {paced['offered']:.1f}" if gave_too_few(paced) else ""
    return "\n".join(
        [
            f"{model['name']} at {paced['rate']:g} frames a second{late}: {paced['fps']:.1f} results a second",
            f"of {paced['frames']} frames {paced['dropped']} were dropped, "
            f"{paced['missed']} answered later than {paced['deadline']:.1f} ms",
            f"age of results, ms: {age}",
            paced["includes"],
        ]
    )


def profile_text(model: dict[str, Any]) -> str:
    """The rooms of a network, the most expensive first."""
    rooms = sorted(model["profile"]["rooms"].items(), key=lambda item: -item[1])
    total = sum(milliseconds for _, milliseconds in rooms)
    rows = [[room, f"{milliseconds:.2f}", f"{100 * milliseconds / total:.0f} %"] for room, milliseconds in rooms]
    return f"layers of {model['name']} by room\n" + _table([["", "ms", "share"], *rows])


def run_text(run: dict[str, Any]) -> str:
    """What the machine went through, and whether its figures can be trusted."""
    lines = [f"host memory: {run['host_memory'] / 1e6:.0f} MB at most"]
    lines += [f"GPU memory: {run['device_memory'] / 1e6:.0f} MB at most"] if run["device_memory"] else []
    lines += [f"ended early: {run['lost']}"] if run["lost"] else []
    sampler = run["sampler"]
    lines += ["certified: clocks held still, nobody else at work"] if sampler["certified"] else []
    lines += [f"not certified: {fault['fault']}; try: {fault['cure']}" for fault in sampler["faults"]]
    return "\n".join(lines)


def gates_text(gates: Sequence[dict[str, Any]]) -> str:
    """What was asked for, and whether it holds."""
    rows = [["gate", "of", "limit", "measured", "verdict"]]
    for gate in gates:
        measured = "not measured" if gate["value"] is None else f"{gate['value']:.2f}"
        measured += ", cut short" if gate.get("cut") else ""
        verdict = "passed" if gate["passed"] else "failed"
        limit = f"{gate['limit']:g} {gate['unit']}"
        rows.append([gate["gate"], gate["of"].replace("_", " "), limit, measured, verdict])
    return _table(rows)


def _memory(memory: dict[str, Any]) -> str:
    where = ", shared with the host" if memory["shared"] else ""
    return f"{memory['loaded'] / 1e6:.0f} MB loaded, {memory['activations'] / 1e6:.0f} MB of it for activations{where}"


def _ratio(ratio: dict[str, float] | None) -> str:
    return f"{ratio['median']:.3f} ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else ""


def _split(model: dict[str, Any], named: bool) -> str:
    stages = (
        f"{stage.replace('_', ' ')} {value:.2f}"
        for stage, value in model["speed"]["frame"]["split"].items()
        if value is not None
    )
    return f"frame split{' of ' + model['name'] if named else ''}, median ms: {', '.join(stages)}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned to the right, the first one to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: Iterable[str]) -> str:
        first, *others = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        return "  ".join([first.strip().ljust(widths[0]), *others]).rstrip()

    return "\n".join(line(row) for row in rows)
