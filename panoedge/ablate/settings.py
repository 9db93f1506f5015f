"""What an ablation compares: methods, budgets, recoveries and seeds, and the cells they make."""

from dataclasses import dataclass
from typing import Any

from perception.errors import InputError, require

TEACHER = "teacher"
OURS = "safe"
NONE = "none"
# Trained again after pruning where nothing else is asked for.
CONTENDERS = ("taylor", OURS)

# What each recovery learns from: labels or not, and of the teacher what ``compress.distill.DistillSettings`` says,
# changed so; nothing where None.
RECOVERIES: dict[str, tuple[bool, dict[str, Any] | None]] = {
    "labels": (True, None),
    "kd": (False, {}),
    "kd+labels": (True, {}),
    # The paper's form, to be asked for by name: heads learn from labels alone.
    "features+labels": (True, {"answers": 0.0}),
}
_PLAIN: dict[str, Any] = {"importance": "safe", "conflict": 0.0, "protect": 0.0, "refine": 0}
_PENALISED = {**_PLAIN, "conflict": 0.5}
# What each method changes of ``compress.prune.PruneSettings``.
METHODS: dict[str, dict[str, Any]] = {
    "random": {"importance": "random"},
    "magnitude": {"importance": "magnitude"},
    "taylor": {"importance": "taylor"},
    "tci-sum": {**_PLAIN, "combine": "sum"},
    "tci-max": _PLAIN,
    "gcp-0.25": {**_PLAIN, "conflict": 0.25},
    "gcp-0.5": _PENALISED,
    "gcp-1": {**_PLAIN, "conflict": 1.0},
    "safe": {"importance": "safe"},
    # With and without the floor that a budget's kind decides upon by default.
    "safe-unprotected": {"importance": "safe", "protect": 0.0},
    "safe-protected": {"importance": "safe", "protect": 0.1},
    # Other readings of the conflict penalty, to be asked for by name.
    "gcp-worst": {**_PENALISED, "source": "worst"},
    "gcp-activations": {**_PENALISED, "source": "activations"},
    "gcp-signed": {**_PENALISED, "source": "signed"},
    "gcp-rank": {**_PENALISED, "penalty": "rank"},
    "gcp-tie": {**_PENALISED, "conflict": 1.0, "penalty": "tie"},
}


@dataclass(frozen=True)
class Cell:
    """One measurement.

    Attributes:
        method: a key of :data:`METHODS`, or ``teacher``.
        share: what may stay of the budget's kind.
        recovery: ``none`` (batch norms measured again, no training) or a key of :data:`RECOVERIES`.
        seed: of calibration frames, of ``random`` and of training.
    """

    method: str
    share: float
    recovery: str
    seed: int

    @property
    def name(self) -> str:
        """For files and messages."""
        return f"{self.method}_{self.share:g}_{self.recovery}_{self.seed}"


@dataclass(frozen=True)
class AblationSettings:
    """Sizes of an ablation; the defaults take two and a half hours on two cores for the embedded teacher.

    Attributes:
        methods: keys of :data:`METHODS`.
        kind: of budget, ``params``, ``macs`` or ``latency``.
        costs: file that a budget in time needs, see ``compress.prune.PruneSettings``.
        shares: what may stay.
        seeds: repetitions; 0 to ``seeds - 1``.
        recoveries: of the contenders.
        contenders: methods that are also trained after pruning; where None those of ``methods`` that usually are.
        recovery_shares: budgets at which they are.
        epochs, batch, lr: of every recovery alike, so that all take the same steps.
        rounds, round_to, calibration, reestimation: of every pruning, see ``compress.prune.PruneSettings``.
        frames: of the validation split that each cell looks at, the first so many.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    methods: tuple[str, ...] = tuple(METHODS)[:10]
    kind: str = "params"
    costs: str | None = None
    shares: tuple[float, ...] = (0.85, 0.673, 0.5, 0.35)
    seeds: int = 3
    recoveries: tuple[str, ...] = tuple(RECOVERIES)[:3]
    contenders: tuple[str, ...] | None = None
    recovery_shares: tuple[float, ...] = (0.5,)
    epochs: int = 3
    batch: int = 16
    lr: float = 1e-3
    rounds: int = 3
    round_to: int = 8
    calibration: int = 64
    reestimation: int = 256
    frames: int = 2000
    device: str = "auto"

    def __post_init__(self) -> None:
        """Raises InputError for names that are not known and numbers that make no sense."""
        for method in (*self.methods, *self.trained):
            if method not in METHODS:
                raise InputError(f"method {method!r}: choose from {', '.join(METHODS)}")
        for recovery in self.recoveries:
            if recovery not in RECOVERIES:
                raise InputError(f"recovery {recovery!r}: choose from {', '.join(RECOVERIES)}")
        if OURS not in self.methods:
            raise InputError(f"methods {', '.join(self.methods)}: {OURS} is what the others are compared with; add it")
        for share in (*self.shares, *self.recovery_shares):
            require(0 < share < 1, "share", share, "must lie between 0 and 1")
        if self.kind == "latency":
            require(self.costs is not None, "budget kind", self.kind, "needs --costs; see panoedge cost")
        for name in ("seeds", "frames", "epochs", "rounds", "round_to", "calibration"):
            require(getattr(self, name) >= 1, name.replace("_", "-"), getattr(self, name), "at least 1")

    @property
    def trained(self) -> tuple[str, ...]:
        """The methods that are also trained after pruning."""
        usual = tuple(method for method in CONTENDERS if method in self.methods)
        return usual if self.contenders is None else self.contenders

    def cells(self) -> list[Cell]:
        """All measurements: the teacher, everything without recovery, then recoveries; seed after seed, so that an
        ablation cut short holds whole comparisons."""
        seeds = range(self.seeds)
        plain = [Cell(m, share, NONE, seed) for seed in seeds for share in self.shares for m in self.methods]
        recovered = [
            Cell(method, share, recovery, seed)
            for seed in seeds
            for share in self.recovery_shares
            for method in self.trained
            for recovery in self.recoveries
        ]
        return [Cell(TEACHER, 1.0, NONE, 0), *plain, *recovered]


def quick() -> AblationSettings:
    """The small version: what it shows and what it does not, docs/ablation.md says."""
    return AblationSettings(
        methods=("magnitude", "taylor", "tci-max", OURS),
        shares=(0.673, 0.5),
        seeds=1,
        recoveries=("kd+labels",),
        epochs=2,
        rounds=2,
        calibration=32,
        reestimation=128,
        frames=200,
    )
