"""What the command line offers, where it costs no import of torch."""

IMPORTANCES = ("safe", "taylor", "magnitude", "random")
# What gradient conflict is measured on (compress/gradients.py), and how it enters the score (compress/importance.py).
# The first of each is the paper's.
CONFLICT_SOURCES = ("weights", "worst", "activations", "signed")
PENALTIES = ("product", "rank", "tie")
