"""The settings of early stopping: the keys of the group `stopping`, their defaults and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from trainer.errors import ConfigError
from trainer.interval import parse_interval

Group = Mapping[str, object]

KEYS = ("metric", "mode", "patience", "min_change", "from_iteration", "time_limit")
# What the other keys are for.
OF_PATIENCE = ("metric", "mode", "min_change", "from_iteration")


@dataclass(frozen=True, slots=True)
class StoppingSettings:
    """The keys of the group `stopping`.

    A run ends if `metric`, with its `mode`, has not improved by more than `min_change` for `patience`
    iterations; those before `from_iteration` do not count. `None` as the metric is the one that
    decides which iteration is the best. It also ends after `time_limit` seconds of training.
    """

    metric: str | None = None
    mode: str | None = None
    patience: int | None = None
    min_change: float = 0.0
    from_iteration: int = 1
    time_limit: float | None = None


def read_stopping(group: Group, metric: str | None, mode: str | None) -> StoppingSettings:
    """Read and check the keys of the group.

    Args:
        group: The group.
        metric: Its metric, checked.
        mode: Its mode, checked.

    Raises:
        ConfigError: If a key is unknown, has no effect, or its value is out of its limits.
    """
    if unknown := [key for key in group if key not in KEYS]:
        raise ConfigError(
            f"stopping.{unknown[0]}: this key is unknown. Use one of {', '.join(KEYS)}."
        )
    found = StoppingSettings(
        metric=metric,
        mode=mode,
        patience=None if group.get("patience") is None else _count(group, "patience"),
        min_change=_min_change(group),
        from_iteration=_count(group, "from_iteration") if "from_iteration" in group else 1,
        time_limit=_time_limit(group),
    )
    default = StoppingSettings()
    idle = [key for key in OF_PATIENCE if getattr(found, key) != getattr(default, key)]
    if found.patience is None and idle:
        raise ConfigError(
            f"stopping.{idle[0]}: it has no effect without stopping.patience. Set it, too."
        )
    return found


def _count(group: Group, key: str) -> int:
    value = group[key]
    if type(value) is not int or value < 1:
        raise ConfigError(
            f"stopping.{key}: {value!r} is not a whole number of at least 1. Correct it."
        )
    return value


def _min_change(group: Group) -> float:
    value = group.get("min_change", 0.0)
    if type(value) not in (int, float) or not isfinite(value) or value < 0:  # type: ignore[arg-type, operator]  # a number
        raise ConfigError(
            f"stopping.min_change: {value!r} is not a number of at least 0. Correct it."
        )
    return float(value)  # type: ignore[arg-type]  # as above


def _time_limit(group: Group) -> float | None:
    value = group.get("time_limit")
    if value is None:
        return None
    if type(value) in (int, float) and isfinite(value) and value > 0:  # type: ignore[arg-type, operator]  # a number
        return float(value)  # type: ignore[arg-type]  # as above
    found = parse_interval(value) if isinstance(value, str) else None
    if found is None or found.seconds is None:
        raise ConfigError(
            f"stopping.time_limit: {value!r} is not a time. Set, for example, 90s, 10m, 1h30m, or"
            " seconds."
        )
    return found.seconds
