"""The setting ``orch.metrics_from_output``: patterns that find metrics in what a program prints."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.grid.config_values import Value

_STEP: Final = "step"  # the group that is not a metric
_NAME: Final = "orch.metrics_from_output"
_SHOWN: Final = 200  # characters of a pattern
_EXAMPLE: Final = r"'epoch (?P<step>\d+) loss (?P<loss>\S+)'"


def parse_metric_patterns(node: Value, *, is_trainer: bool) -> tuple[str, ...]:
    """Return the patterns.

    Raises:
        ConfigError: One is not a regular expression, names no metric, or has no effect.
    """
    if node is None:
        return ()
    patterns = [node] if isinstance(node, str) else node
    if not isinstance(patterns, list):
        raise ConfigError(f"{_NAME} is not a string or a list of strings. Write {_EXAMPLE}.")
    if is_trainer and patterns:
        raise ConfigError(
            f"{_NAME} has no effect on the trainer, which records its metrics itself. Remove it."
        )
    return tuple(map(_check, patterns))


def is_counted(patterns: Sequence[str], metric: str) -> bool:
    """Return whether a pattern finds a metric without its step, so that its matches are counted."""
    return any(f"(?P<{metric}>" in it and f"(?P<{_STEP}>" not in it for it in patterns)


def _check(pattern: Value) -> str:
    if not isinstance(pattern, str):
        raise ConfigError(f"{_NAME}: {pattern!r} is not a string. Write {_EXAMPLE}.")
    try:
        with warnings.catch_warnings():  # Python's plans for such patterns
            warnings.simplefilter("ignore")
            groups = re.compile(pattern).groupindex
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{_NAME}: {_shown(pattern)} is not a regular expression of Python: {error}. Correct it."
        ) from None
    if not groups.keys() - {_STEP}:
        raise ConfigError(
            f"{_NAME}: {_shown(pattern)} names no metric. Name groups, as in {_EXAMPLE}."
        )
    return pattern


def _shown(pattern: str) -> str:
    return repr(pattern if len(pattern) <= _SHOWN else f"{pattern[:_SHOWN]}...")
