"""The limits of config files and overrides: size, nesting depth, and values after alias expansion."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LONGEST_OVERRIDE: Final = 10_000
_MOST_ITEMS: Final = 2_500  # of lists and mappings, which Hydra parses slowly
_MOST_ITEMS_OF_INTERPOLATIONS: Final = 1_250  # which OmegaConf parses several times
_MOST_ITEMS_OF_HYDRA: Final = (
    250  # of its own settings; it looks for each folder of its search path
)
_MOST_MAPPINGS: Final = 50  # of orch.grids, of which each is composed with all others beside it
_MOST_INTERPOLATIONS: Final = 1_000
_MOST_UNCLOSED: Final = 50  # for each, Hydra's lexer looks for the end of the text
_LONGEST_PLAIN: Final = 50_000
_MOST_PLAIN_ITEMS: Final = 10_000
_PLAIN: Final = re.compile(r"[\w.,=+~/@-]*")  # plain values with commas, which Hydra parses fast
_SHOWN: Final = 40
_LARGEST: Final = 1_000_000
_DEEPEST: Final = 50
_MOST_VALUES: Final = 100_000
# An alias, or a deeply indented line.
_SUSPECT: Final = re.compile(rf"(?:^|[\s\[{{,:?-])\*\w|^[\s:?-]{{{_DEEPEST}}}", re.MULTILINE)
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a tenth of the time


def check_config_file(path: Path) -> str:
    """Make sure that a config file can be parsed in reasonable time and memory; return its content.

    Raises:
        ConfigError: It is too large, too deep, not UTF-8, or its aliases expand to too many values.
        OSError: It cannot be read.
        YAMLError: It is not valid YAML.
    """
    size = path.stat().st_size
    if size > _LARGEST:
        raise ConfigError(
            f"{path}: the file has {size:,} bytes, the maximum is {_LARGEST:,}."
            " Store data in other files, and name them in the config."
        )
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: the file is not UTF-8 ({error.reason} at byte {error.start}). Save it as UTF-8."
        ) from None
    if not _SUSPECT.search(text) and text.count("[") + text.count("{") <= _DEEPEST:
        return text  # neither deep nor with aliases, as nearly all files
    try:
        _check(yaml.parse(text, _LOADER))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except yaml.YAMLError:
        pass  # reported by Hydra when it reads the file
    return text


def check_override(text: str) -> None:
    """Make sure that an override can be parsed in reasonable time; Hydra's parser is recursive.

    Raises:
        ConfigError: It is too long, or nested too deeply.
    """
    shown = text[: text.find("=") + 1][:_SHOWN] or text[:_SHOWN]
    longest = _LONGEST_PLAIN if _PLAIN.fullmatch(text) else _LONGEST_OVERRIDE
    if len(text) > longest:
        raise ConfigError(
            f"the override {shown!r} has {len(text):,} characters, the maximum is {longest:,}."
            " Write range(...), or put the values in a config file."
        )
    most = _MOST_PLAIN_ITEMS if longest == _LONGEST_PLAIN else _MOST_ITEMS
    most = _MOST_ITEMS_OF_INTERPOLATIONS if "${" in text else most
    most = min(most, _MOST_ITEMS_OF_HYDRA) if text.lstrip("+~").startswith("hydra.") else most
    if text.count(",") > most:
        raise ConfigError(
            f"the override {shown!r} has {text.count(','):,} commas, the maximum is {most:,}."
            " Write range(...), or put the values in a config file."
        )
    if text.lstrip("+~").startswith("orch.grids") and text.count("{") > _MOST_MAPPINGS:
        raise ConfigError(
            f"the override {shown!r} has {text.count('{'):,} mappings, the maximum is"
            f" {_MOST_MAPPINGS}. Put the grids in a config file."
        )
    if text.count("${") > _MOST_INTERPOLATIONS:
        raise ConfigError(
            f"the override {shown!r} has {text.count('${'):,} interpolations, the maximum is"
            f" {_MOST_INTERPOLATIONS:,}. Put the value in a config file."
        )
    unclosed = text.count("${", text.rfind("}") + 1)
    if unclosed > _MOST_UNCLOSED:
        raise ConfigError(
            f"the override {shown!r} has {unclosed:,} interpolations without an end, the maximum is"
            f" {_MOST_UNCLOSED}. Close each with '}}'."
        )
    if sum(map(text.count, "[{(")) > _DEEPEST and _depth(text) > _DEEPEST:
        raise ConfigError(
            f"the override {shown!r} is nested too deeply: the maximum is {_DEEPEST} levels."
            " Simplify it."
        )


def _depth(text: str) -> int:
    """Return the nesting depth of brackets in a string, whether quoted or not."""
    depth = deepest = 0
    for character in text:
        if character in "[{(":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]})":
            depth -= 1
    return deepest


def _check(events: Iterable[yaml.Event]) -> None:
    """Check the events of a parser: constructing the document first could exhaust the memory."""
    sizes: dict[str, int] = {}  # of the anchored nodes
    opened: list[tuple[str | None, int]] = []
    size = 0  # the number of values so far, aliases expanded
    for event in events:
        match event:
            case yaml.CollectionStartEvent():
                opened.append((event.anchor, size))
                if event.anchor:
                    sizes[event.anchor] = (
                        _MOST_VALUES + 1
                    )  # an alias inside to itself expands infinitely
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
                f"it is nested too deeply: the maximum is {_DEEPEST} levels. Simplify it."
            )
        if size > _MOST_VALUES:
            raise ConfigError(
                f"it has more than {_MOST_VALUES:,} values after expanding its aliases (*name)."
                " Write the values without aliases."
            )
