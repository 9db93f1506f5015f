"""What the command line offers, where it costs no import of torch."""

IMPORTANCES = ("safe", "taylor", "magnitude", "random")
