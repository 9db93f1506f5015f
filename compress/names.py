"""What the command line offers, where it costs no import of torch."""

from typing import Literal, get_args

CostKind = Literal["params", "macs", "latency"]
COST_KINDS: tuple[CostKind, ...] = get_args(CostKind)
IMPORTANCES = ("safe", "taylor", "magnitude", "random")
# What gradient conflict is measured on (compress/gradients.py), and how it enters the score (compress/importance.py).
# The first of each is the paper's.
CONFLICT_SOURCES = ("weights", "worst", "activations", "signed")
PENALTIES = ("product", "rank", "tie")
