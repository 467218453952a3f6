"""Config files and overrides that are fit to be read: neither huge, nor huge once unfolded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LONGEST_OVERRIDE: Final = 10_000
_MOST_ITEMS: Final = 2_500  # of lists and mappings, which take longer the more there are
_LONGEST_PLAIN: Final = 100_000
_PLAIN: Final = re.compile(r"[\w.,=+~/@-]*")  # values with commas, which are read at once
_SHOWN: Final = 40
_LARGEST: Final = 1_000_000
_DEEPEST: Final = 50
_MOST_VALUES: Final = 100_000
# An alias, or a line that begins far to the right.
_SUSPECT: Final = re.compile(rf"(?:^|[\s\[{{,:?-])\*\w|^[\s:?-]{{{_DEEPEST}}}", re.MULTILINE)
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a tenth of the time


def check_config_file(path: Path) -> None:
    """Make sure that a config file can be read within reason.

    Raises:
        ConfigError: It is too large or too deep, is no text, or its aliases make too much of it.
        OSError: It cannot be read.
        YAMLError: It is no YAML.
    """
    size = path.stat().st_size
    if size > _LARGEST:
        raise ConfigError(
            f"{path}: a config file of {size:,} bytes; {_LARGEST:,} is the most."
            " Keep data in files of their own, and name them in the config."
        )
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: it is not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8."
        ) from None
    if not _SUSPECT.search(text) and text.count("[") + text.count("{") <= _DEEPEST:
        return  # it can neither be deep nor unfold; nearly all files are like this
    try:
        _check(yaml.parse(text, _LOADER))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except yaml.YAMLError:
        return  # whoever reads it says it better


def check_override(text: str) -> None:
    """Make sure that an override can be read within reason: Hydra's parser is slow, and recursive.

    Raises:
        ConfigError: It is too long, or nested too deeply.
    """
    shown = text[: text.find("=") + 1][:_SHOWN] or text[:_SHOWN]
    longest = _LONGEST_PLAIN if _PLAIN.fullmatch(text) else _LONGEST_OVERRIDE
    if len(text) > longest:
        raise ConfigError(
            f"the override {shown!r} has {len(text):,} characters; {longest:,} is the most."
            " Write range(...), or put the values in a config file."
        )
    if longest != _LONGEST_PLAIN and text.count(",") > _MOST_ITEMS:
        raise ConfigError(
            f"the override {shown!r} has {text.count(','):,} commas; {_MOST_ITEMS:,} is the most."
            " Write range(...), or put the values in a config file."
        )
    if sum(map(text.count, "[{(")) > _DEEPEST and _depth(text) > _DEEPEST:
        raise ConfigError(
            f"the override {shown!r} is nested too deeply, {_DEEPEST} is the most."
            " Write it more simply."
        )


def _depth(text: str) -> int:
    """Return how deep brackets open in a text, whether quoted or not."""
    depth = deepest = 0
    for character in text:
        if character in "[{(":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]})":
            depth -= 1
    return deepest


def _check(events: Iterable[yaml.Event]) -> None:
    """Measure a file while it is parsed: unfolding it first would fill the memory."""
    sizes: dict[str, int] = {}  # of what the anchors name
    opened: list[tuple[str | None, int]] = []
    size = 0  # how many values there are so far, aliases unfolded
    for event in events:
        match event:
            case yaml.CollectionStartEvent():
                opened.append((event.anchor, size))
                if event.anchor:
                    sizes[event.anchor] = _MOST_VALUES + 1  # an alias to it inside has no end
                size += 1
            case yaml.CollectionEndEvent():
                anchor, before = opened.pop()
                if anchor:
                    sizes[anchor] = size - before
            case yaml.AliasEvent():
                size += sizes.get(str(event.anchor), 1)
            case yaml.ScalarEvent():
                size += 1
        if len(opened) > _DEEPEST:
            raise ConfigError(
                f"it is nested too deeply, {_DEEPEST} is the most. Write it more simply."
            )
        if size > _MOST_VALUES:
            raise ConfigError(
                f"more than {_MOST_VALUES:,} values, its aliases (*name) unfolded."
                " Write out what is meant."
            )
