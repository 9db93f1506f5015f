"""How far TensorRT is with a build, on standard error."""

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from perception import stop
from perception.progress import Progress

_PERCENT = 100


class Phases:
    """The phases of a build, which lie within one another, as one share of the whole.

    A phase is as far as the steps it has done and the part that the phase within it has done of the next one. Names are
    TensorRT's: unique within one hierarchy, of which several may be under way, so one may be over before it is done.
    """

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._parent: dict[str, str | None] = {}

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """``phase`` begins within ``parent``, in ``steps`` steps."""
        self._steps[phase], self._done[phase], self._parent[phase] = max(steps, 1), 0, parent

    def step(self, phase: str, step: int) -> None:
        """``phase`` has done step number ``step``, counted from 0."""
        self._done[phase] = step + 1

    def finish(self, phase: str) -> None:
        """``phase`` is over, whatever steps are left."""
        for phases in (self._steps, self._done, self._parent):
            phases.pop(phase, None)  # type: ignore[attr-defined]  # three kinds of dictionaries

    def share(self, phase: str) -> float:
        """How much of the whole is done, in [0, 1], seen from ``phase``."""
        part, at = 0.0, phase
        while at in self._steps:
            part = min((self._done[at] + part) / self._steps[at], 1.0)
            at = self._parent[at] or ""
        return part

    def text(self, phase: str) -> str:
        """``phase`` and its steps."""
        return f"{phase} {self._done[phase]}/{self._steps[phase]}" if phase in self._steps else phase


def watched_build(trt: ModuleType, builder: Any, network: Any, config: Any, label: str) -> Any:
    """Build ``network`` and report how far it is; Ctrl-C and SIGTERM end it.

    Returns:
        The engine's bytes; None where TensorRT failed.
    """
    # An exception cannot pass through TensorRT, and would be lost there.
    with Progress(label, _PERCENT) as progress, stop.held() as interrupted:
        config.progress_monitor = _monitor(trt, progress, interrupted)
        engine = builder.build_serialized_network(network, config)
        if engine is not None:
            progress.step(_PERCENT - progress.done, "done")
    return engine


def _monitor(trt: Any, progress: Progress, interrupted: Callable[[], bool]) -> Any:
    class Monitor(trt.IProgressMonitor):
        def __init__(self):
            trt.IProgressMonitor.__init__(self)
            self._phases = Phases()
            # TensorRT calls from several threads of its own.
            self._lock = threading.Lock()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            with self._lock:
                self._phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            with self._lock:
                self._phases.step(phase_name, step)
                # Phases that come again within one step would take the share back; 100 is for the end.
                now = min(int(_PERCENT * self._phases.share(phase_name)), _PERCENT - 1)
                progress.step(max(now - progress.done, 0), self._phases.text(phase_name))
            return not interrupted()  # False ends the build

        def phase_finish(self, phase_name: str) -> None:
            with self._lock:
                self._phases.finish(phase_name)

    return Monitor()
