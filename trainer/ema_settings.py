"""The settings of the average of the weights: the keys of the group `ema`, their defaults and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainer.errors import ConfigError

Group = Mapping[str, object]

KEYS = ("decay", "from_iteration", "evaluate")


@dataclass(frozen=True, slots=True)
class EmaSettings:
    """The keys of the group `ema`.

    After each update, the average becomes `decay` times itself plus the rest of the weights; it begins
    with the weights after the first update of `from_iteration`. If `evaluate`, validation and test use
    the average. Without `decay`, there is none.
    """

    decay: float | None = None
    from_iteration: int = 1
    evaluate: bool = True


def read_ema(group: Group) -> EmaSettings:
    """Read and check the keys of the group.

    Raises:
        ConfigError: If a key is unknown, has no effect, or its value is out of its limits.
    """
    if unknown := [key for key in group if key not in KEYS]:
        raise ConfigError(f"ema.{unknown[0]}: this key is unknown. Use one of {', '.join(KEYS)}.")
    decay, begin = group.get("decay"), group.get("from_iteration", 1)
    evaluate = group.get("evaluate", True)
    if decay is not None and (
        not isinstance(decay, (int, float)) or isinstance(decay, bool) or not 0 < decay < 1
    ):
        raise ConfigError(
            f"ema.decay: {decay!r} is not a number between 0 and 1. Set, for example, 0.999."
        )
    if type(begin) is not int or begin < 1:
        raise ConfigError(
            f"ema.from_iteration: {begin!r} is not a whole number of at least 1. Correct it."
        )
    if not isinstance(evaluate, bool):
        raise ConfigError(f"ema.evaluate: {evaluate!r} is neither true nor false. Set one.")
    read = EmaSettings(None if decay is None else float(decay), begin, evaluate)
    if decay is None and read != EmaSettings():
        raise ConfigError(
            "ema.decay: missing, so that the other keys have no effect. Set, for example, 0.999."
        )
    return read
