"""Hydra's words: the keys of its own beside a `_target_`, of whose values Hydra checks only some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trainer.errors import ConfigError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCHES: Final = ("_partial_", "_recursive_")
RECURSIVE: Final = "_recursive_"
CONVERSIONS: Final = ("none", "partial", "object", "all")


def check_words(settings: object, key: str) -> None:
    """Check the words of Hydra in settings, and in the nested ones that Hydra would instantiate.

    Args:
        settings: `_target_` and its arguments, or a part of them.
        key: Their key in the configuration.

    Raises:
        ConfigError: If the value of one is none that Hydra knows. It would take some of them for another
            one without a word: any string but `none` converts nothing, and any but an empty one is a
            true `_partial_`.
    """
    if isinstance(settings, list):
        for place, each in enumerate(settings):
            check_words(each, f"{key}[{place}]")
    if not isinstance(settings, dict):
        return
    _check_own(settings, key)
    if settings.get(RECURSIVE) is not False:
        for name, each in settings.items():
            check_words(each, f"{key}.{name}")


def _check_own(settings: Mapping[str, object], key: str) -> None:
    for word in SWITCHES:
        if not isinstance(settings.get(word, True), bool):
            raise ConfigError(
                f"{key}.{word}: {shown(settings[word])} is neither true nor false. Set one."
            )
    if str(settings.get("_convert_", "all")).lower() not in CONVERSIONS:
        raise ConfigError(
            f"{key}._convert_: {shown(settings['_convert_'])} is not one of {', '.join(CONVERSIONS)}."
            " Correct it."
        )
    if not isinstance(settings.get("_args_", []), list):
        raise ConfigError(
            f"{key}._args_: {shown(settings['_args_'])} is not a list of arguments. Write one."
        )
