"""The names of metrics that programs do not give themselves."""

from typing import Final

BEST: Final = "best/"  # before the metric that chose the best iteration, for its value there
