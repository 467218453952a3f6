"""Refused arguments: those of a group that would have no effect, or make the results useless without a word."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Final

from trainer.errors import ConfigError
from trainer.pytorch_arguments import wrong_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trainer.settings import Config

FUNCTIONS: Final = ("criterion",)  # groups that may name a function with some of its arguments
# Groups in which no class of PyTorch has a use for NaN: a comparison with it is silently false.
NUMBERS: Final = ("criterion", "scheduler", "dataloader")
OF_SAMPLES: Final = ("collate_fn",)  # it may pad them with NaN
PYTORCHS: Final = "torch."
OF_PYTORCH: Final = ("optimizer", "scheduler", "criterion")


def check_arguments(settings: Config, group: str, handed: Iterable[str] = ()) -> None:
    """Check the arguments of a group.

    Args:
        settings: The group's keys.
        group: Its name.
        handed: The arguments that the trainer gives.

    Raises:
        ConfigError: If `_partial_` makes a function of a module, one of the arguments is the trainer's, or
            one for a class of PyTorch is not a number, or cannot be meant.
    """
    if settings.get("_partial_") and group not in FUNCTIONS:
        raise ConfigError(
            f"{group}._partial_: it would make a function instead of the module. Remove it."
        )
    for name in handed:
        if settings.get(name) is not None:
            raise ConfigError(f"{group}.{name}: the trainer sets this argument. Remove it.")
    numbers = {name: value for name, value in settings.items() if name not in OF_SAMPLES}
    if group in NUMBERS and (wrong := next(_not_numbers(numbers, group), None)):
        raise ConfigError(f"{wrong}: nan is not a number. Correct it.")
    if group in OF_PYTORCH and (line := next(wrong_values(settings, group), None)):
        raise ConfigError(line)


def _not_numbers(value: object, key: str) -> Iterator[str]:
    """Yield the keys of values that are not numbers; classes that are not PyTorch's may want them."""
    if isinstance(value, float) and isnan(value):
        yield key
    elif isinstance(value, dict) and str(value.get("_target_", PYTORCHS)).startswith(PYTORCHS):
        for name, each in value.items():
            yield from _not_numbers(each, f"{key}.{name}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _not_numbers(each, f"{key}[{place}]")
