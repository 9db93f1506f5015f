"""The records of this room as plain tables for a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from perception.evaluation import headline

_TIMES = ("mean", "p50", "p90", "p95", "p99", "max")


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
    }


def metrics_text(metrics: dict[str, Any]) -> str:
    """The five headline figures in percent."""
    figures = headline(metrics)
    title = f"{metrics['data']} ({metrics['split']}), {metrics['frames']} frames, percent"
    names = (name.replace("_", " ") for name in figures)
    values = (f"{100 * value:.1f}" for value in figures.values())
    return f"{title}\n" + _table([["", *names], [metrics["protocol"], *values]])


def speed_text(speed: dict[str, Any]) -> str:
    """Frame rates and times, the stages of a frame, and what each rate includes."""
    rows = [["", "FPS", *(f"{name} ms" for name in _TIMES), "count"]]
    for rate, record in speed.items():
        times = (f"{record['ms'][name]:.2f}" for name in _TIMES)
        rows.append([rate, f"{record['fps']:.1f}", *times, str(record["count"])])
    stages = (
        f"{stage.replace('_', ' ')} {value:.2f}"
        for stage, value in speed["frame"]["split"].items()
        if value is not None
    )
    notes = (f"{rate}: {record['includes']}" for rate, record in speed.items())
    return "\n".join([_table(rows), f"frame split, median ms: {', '.join(stages)}", *notes])


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned to the right, the first one to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: Iterable[str]) -> str:
        first, *others = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        return "  ".join([first.strip().ljust(widths[0]), *others]).rstrip()

    return "\n".join(line(row) for row in rows)
