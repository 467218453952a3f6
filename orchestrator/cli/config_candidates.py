"""The candidates of a shell's completion that a config folder has: keys, groups and their choices.

It reads files, and composes nothing: that would take longer than a user waits for a key.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final

from orchestrator.rundir.config_yaml import UNFIT_FOR_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SUFFIXES: Final = (".yaml", ".yml")
_MOST: Final = 2000  # files and folders to look at
_LARGEST: Final = 1_000_000
_SWITCH: Final = ("true", "false")


class ConfigCandidates:
    """The keys and groups of a config folder, with the choices that overrides make."""

    def __init__(self, folder: str, name: str, overrides: Mapping[str, str]) -> None:
        self._folder = folder
        self._overrides = overrides
        self._primary = _read(os.path.join(folder, name))  # noqa: PTH118 # pathlib costs milliseconds
        self._groups = _find_groups(folder)

    def value_of(self, key: str, default: str) -> str:
        """Return the value of a top-level key, or the default if it is not a plain string."""
        found = self._overrides.get(key, self._primary.get(key))
        is_plain = isinstance(found, str | int) and "${" not in str(found)
        return str(found) if is_plain and str(found) else default

    def keys(self) -> list[str]:
        """Return the groups, and the dotted keys of the primary config and of its choices."""
        found = dict.fromkeys(self._groups)
        for key, value in self._primary.items():
            if key not in ("defaults", "hydra"):
                found.update(dict.fromkeys(_dotted(value, str(key))))
        for group, choice in self._choices():
            content = _read(os.path.join(self._folder, group, choice))  # noqa: PTH118 # as above
            for key, value in content.items():
                if key != "defaults":
                    package = group.replace("/", ".")
                    found.update(dict.fromkeys(_dotted(value, f"{package}.{key}")))
        return list(found)

    def values(self, key: str) -> Sequence[str]:
        """Return the values that a key may take, if they are known: choices, or a switch's two."""
        group = key.partition("@")[0]
        if group in self._groups:
            return self._groups[group]
        return _SWITCH if isinstance(self._look_up(key), bool) else ()

    def _look_up(self, key: str) -> object:
        node: Any = self._primary
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return node

    def _choices(self) -> Iterator[tuple[str, str]]:
        """Yield the groups of the defaults list with their choices."""
        defaults = self._primary.get("defaults")
        for item in defaults if isinstance(defaults, list) else ():
            if isinstance(item, dict):
                for named, choice in item.items():
                    group = str(named).split()[-1].partition("@")[0].lstrip("/")
                    chosen = self._overrides.get(group, choice)
                    if isinstance(chosen, str):
                        yield group, chosen.partition(",")[0]


def _read(path: str) -> dict[str, Any]:
    """Return a config file, or nothing if it is missing, large or not a mapping."""
    import yaml  # noqa: PLC0415 # most completions need no config

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for suffix in ("", *_SUFFIXES):
        with contextlib.suppress(
            OSError, RecursionError, yaml.YAMLError, ValueError, *UNFIT_FOR_TAG
        ):
            with open(f"{path.removesuffix(suffix)}{suffix}", encoding="utf-8") as file:  # noqa: PTH123 # as above
                found = yaml.load(file.read(_LARGEST), loader)  # noqa: S506 # a safe loader
            return found if isinstance(found, dict) else {}
    return {}


def _find_groups(folder: str) -> dict[str, list[str]]:
    """Return the config groups below a folder with their choices."""
    groups: dict[str, list[str]] = {}
    left, below = _MOST, [""]
    while below and left > 0:
        inside = below.pop(0)
        with contextlib.suppress(OSError), os.scandir(f"{folder}/{inside}") as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                left -= 1
                path = f"{inside}/{entry.name}".lstrip("/")
                if entry.is_dir() and not entry.name.startswith((".", "_")):
                    below.append(path)
                elif inside and entry.name.endswith(_SUFFIXES):
                    groups.setdefault(inside, []).append(entry.name.rpartition(".")[0])
    return groups


def _dotted(value: object, key: str) -> Iterator[str]:
    """Yield the dotted keys of the values below a key."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _dotted(inner, f"{key}.{name}")
    else:
        yield key
