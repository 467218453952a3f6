"""The names of metrics that programs do not give themselves."""

from collections.abc import Container
from typing import Final

BEST: Final = "best/"  # before the metric that chose the best iteration, for its value there
TEST: Final = "test/"  # before a test result that has the name of a metric of the training


def name_of_result(key: str, logged: Container[str]) -> str:
    """Return the name of a test result beside the metrics that the training has ``logged``."""
    return f"{TEST}{key}" if key in logged and not key.startswith(TEST) else key
