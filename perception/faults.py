"""Numbers that go wrong now and then: told by name, counted, and a reason to stop when they pile up."""

from perception.command import say
from perception.errors import InputError
from perception.tasks import Prediction

IN_A_ROW = 20
_TOLD = 20


class Faults:
    """Counts what was left out because its numbers are not finite.

    Args:
        cure: what the user can do about it.

    Attributes:
        total: how many there were.
    """

    def __init__(self, cure: str):
        self._cure = cure
        self.total = 0
        self._in_a_row = 0

    def add(self, line: str) -> None:
        """Count one, and tell the first ones; raises :class:`InputError` at ``IN_A_ROW`` without a good one between."""
        self.total += 1
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW:
            raise InputError(f"{line}; {IN_A_ROW} in a row, {self._cure}")
        if self.total <= _TOLD:
            say(line)

    def end_row(self) -> None:
        """One was good."""
        self._in_a_row = 0


class OutputFaults(Faults):
    """Counts the frames for which a network's outputs are not all finite."""

    def __init__(self) -> None:
        super().__init__("train or export the network anew, in FP32")

    def look(self, name: str, seen: Prediction) -> None:
        """Take note of what was seen in the frame ``name``; raises :class:`InputError` as :meth:`add` does."""
        if seen.spoiled:
            tasks = ", ".join(seen.spoiled)
            self.add(f"{name}: the network's outputs are not all finite: {tasks}")
        else:
            self.end_row()

    def tell(self) -> None:
        """Say how many there were, if any."""
        if self.total:
            say(f"{self.total} frames where the network's outputs were not all finite")
