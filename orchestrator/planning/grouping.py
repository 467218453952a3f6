"""The grouping of runs for comparison, by every key in which they differ except the averaged ones.

Runs of one experiment may come from several commands, and from a config that was edited in between:
the axes of the commands do not cover all keys in which they differ, so their configs are compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestrator.grid.config_values import Missing, look_up, put_at, same, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from orchestrator.grid.config_values import Value

SEED: Final = "seed"
_ABSENT: Final = object()


class RunConfig:
    """The config of a run: the content of its file, and its values, which are parsed on access."""

    def __init__(
        self, text: str | Callable[[], str], read: Callable[[], Mapping[str, Value]]
    ) -> None:
        self._text = text
        self._read = read
        self._leaves: Mapping[str, Value] | None = None

    @property
    def text(self) -> str:
        """The content of its file."""
        if not isinstance(self._text, str):
            self._text = self._text()
        return self._text

    @property
    def leaves(self) -> Mapping[str, Value]:
        """The values that are part of the run ID, by dotted keys."""
        if self._leaves is None:
            self._leaves = self._read()
        return self._leaves

    def at(self, key: str) -> Value | Missing:
        """Return the value at a dotted key, which may be a mapping, or an item of a list."""
        leaves = self.leaves
        if key in leaves:
            return leaves[key]
        inner: dict[str, Value] = {}
        for path, value in leaves.items():
            if path.startswith(f"{key}."):
                put_at(inner, path[len(key) + 1 :], value)
            elif isinstance(value, list) and key.startswith(f"{path}."):
                return look_up({"": value}, f".{key[len(path) + 1 :]}")
        return inner or Missing()


class Averaged:
    """The keys that are averaged over: the requested ones, or each key named ``seed``.

    Args:
        asked_for: The requested ones.
        or_seeds: Whether seeds are averaged over if none is requested.
    """

    def __init__(self, asked_for: Sequence[str], *, or_seeds: bool = True) -> None:
        self._asked_for = frozenset(asked_for)
        self._by_name = or_seeds and not asked_for

    def __contains__(self, key: str) -> bool:
        """Return whether a key is averaged over."""
        return key in self._asked_for or (self._by_name and key.rpartition(".")[2] == SEED)

    def and_all(self, keys: Iterable[str]) -> Averaged:
        """Return these keys and more."""
        more = Averaged((*self._asked_for, *keys))
        more._by_name = self._by_name
        return more


NOTHING: Final = Averaged((), or_seeds=False)


def find_differing(
    group: Sequence[tuple[Mapping[str, Value], RunConfig]], averaged: Averaged
) -> list[str]:
    """Return the keys in which runs with the same values on their axes differ.

    Values that only follow from an averaged key, such as a name that contains the seed, do not count.
    A config is parsed only if its content differs from all others, apart from averaged values.

    Args:
        group: The values on the axes, and the config, of each run.
        averaged: The keys that are averaged over.
    """
    if len(group) < 2:  # noqa: PLR2004 # one run does not differ
        return []
    distinct = {_without_averaged(*each, averaged): each[1] for each in group}
    if len(distinct) == 1:
        return []
    # One that cannot be read says nothing about its values.
    configs = [leaves for config in distinct.values() if (leaves := config.leaves)]
    if not configs:
        return []
    keys = dict.fromkeys(key for leaves in configs for key in leaves)
    return [key for key in keys if _differs(key, configs, averaged)]


def _without_averaged(overrides: Mapping[str, Value], config: RunConfig, averaged: Averaged) -> str:
    """Return the content of a config without the lines that hold the values of averaged axes."""
    lines = {
        f"{key.rpartition('.')[2]}: {_text(value)}"
        for key, value in overrides.items()
        if key in averaged
    }
    return "\n".join(line for line in config.text.split("\n") if line.strip() not in lines)


def _differs(key: str, configs: Sequence[Mapping[str, Value]], averaged: Averaged) -> bool:
    """Return whether a key has several values, apart from the averaged values in them."""
    first = configs[0].get(key, _ABSENT)
    if all(_is_same(leaves.get(key, _ABSENT), first) for leaves in configs):
        return False
    if key in averaged:
        return True
    forms = set()
    for leaves in configs:
        values = [_text(value) for name, value in leaves.items() if name in averaged]
        forms.add(form_of(_text(leaves[key]), values) if key in leaves else None)
    return len(forms) > 1


def form_of(text: str, averaged: Sequence[str]) -> str:
    """Return a string with NUL in place of the averaged values in it."""
    for value in filter(None, averaged):
        # Not within a number: 0 does not match in 0.1.
        text = re.sub(rf"(?<!\d)(?<!\d\.){re.escape(value)}(?!\d|\.\d)", "\0", text)
    return text


def _is_same(one: object, other: object) -> bool:
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return same(one, other)


def _text(value: object) -> str:
    return value if isinstance(value, str) else show(value)
