"""Filters: ``case ! condition`` drops a point when both sides hold.

``filter_grammar`` reads them from text; here is what they mean.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from orchestrator.errors import FilterError
from orchestrator.grid.axes import Value  # noqa: TC001 # dataclasses keep it as a type
from orchestrator.sanitize import printable

_ORDERINGS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OPERATORS: Final = ("==", "!=", *_ORDERINGS, "in")


@dataclass(frozen=True, slots=True)
class Key:
    """A dotted path into the resolved config, and where it stands in the filter."""

    path: str
    place: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """``key operator operand``; ``place`` is the operator's, counted from 0."""

    key: Key
    operator: str
    operand: Key | Value
    place: int


@dataclass(frozen=True, slots=True)
class Side:
    """One or several comparisons, all of which (``&``) or any of which (``|``) must hold."""

    comparisons: tuple[Comparison, ...]
    any_of: bool

    @property
    def keys(self) -> frozenset[str]:
        """The dotted paths that it looks at."""
        return frozenset(
            key.path
            for comparison in self.comparisons
            for key in (comparison.key, comparison.operand)
            if isinstance(key, Key)
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter; ``text`` is what the user wrote."""

    text: str
    case: Side
    condition: Side

    @property
    def keys(self) -> frozenset[str]:
        """The dotted paths that the filter looks at."""
        return self.case.keys | self.condition.keys

    def excludes(self, config: Mapping[str, Value]) -> bool:
        """Tell whether the point with this resolved config is dropped.

        Raises:
            FilterError: It orders values that have no order.
        """
        return _holds(self.text, self.case, config) and _holds(self.text, self.condition, config)


@dataclass(frozen=True, slots=True)
class Condition:
    """What ``--only`` says: one side of a filter, which a run has to meet."""

    text: str
    side: Side

    def holds(self, config: Mapping[str, Value]) -> bool:
        """Tell whether the run with this resolved config is meant.

        Raises:
            FilterError: It orders values that have no order.
        """
        return _holds(self.text, self.side, config)


def _holds(text: str, side: Side, config: Mapping[str, Value]) -> bool:
    combine = any if side.any_of else all
    return combine(_compare(text, comparison, config) for comparison in side.comparisons)


def _compare(text: str, comparison: Comparison, config: Mapping[str, Value]) -> bool:
    left = look_up(config, comparison.key.path)
    operand = comparison.operand
    right = look_up(config, operand.path) if isinstance(operand, Key) else operand
    if isinstance(left, Missing) or isinstance(right, Missing):
        return False
    match comparison.operator:
        case "==":
            return same(left, right)
        case "!=":
            return not same(left, right)
        case "in":
            if not isinstance(right, list):
                _refuse(text, comparison, f"{show(right)} is no list to look in")
            return any(same(left, item) for item in right)
        case ordering:
            if not (_is_number(left) and _is_number(right)) and not (
                isinstance(left, str) and isinstance(right, str)
            ):
                _refuse(text, comparison, f"{show(left)} and {show(right)} have no order")
            return _ORDERINGS[ordering](left, right)


def _refuse(text: str, comparison: Comparison, why: str) -> NoReturn:
    fail_at(text, comparison.place, f"{comparison.key.path}: {why}")


class Missing:
    """Stands for a key that a config does not have."""


_MISSING = Missing()


def look_up(config: Mapping[str, Value], path: str) -> Value | Missing:
    """Return the value at a dotted path, list items by their number; ``Missing`` if not there."""
    node: Value | Mapping[str, Value] = config
    for part in path.split("."):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            return _MISSING
    return node  # type: ignore[return-value] # the loop leaves a value of the config


def is_known(config: Mapping[str, Value], path: str) -> bool:
    """Tell whether a config has a key, whatever its value."""
    return not isinstance(look_up(config, path), Missing)


def nearest_key(config: Mapping[str, Value], path: str) -> str | None:
    """Return the key of a config that was probably meant; none if no one is near."""
    return next(iter(difflib.get_close_matches(path, list(dotted_keys(config)), n=1)), None)


def dotted_keys(node: object, prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of everything in nested mappings."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from dotted_keys(value, f"{prefix}{key}.")


def same(left: object, right: object) -> bool:
    """Compare two config values: numbers by value, everything else only within its own type."""
    if _is_number(left) and _is_number(right):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and left == right


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def show(value: object) -> str:
    """Write a config value as a filter would: text in quotes, ``true``, ``null``."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f'"{value}"' if isinstance(value, str) else str(value)


def fail_at(text: str, place: int, why: str) -> NoReturn:
    """Raise the error with the filter and a caret under the character it is about."""
    # Control characters would move the caret, or the user's terminal.
    shown = printable(text)
    start = max(0, place - 60)
    line = shown[start : place + 60]
    raise FilterError(
        f"filter, character {place + 1}: {why}.\n    {line}\n    {' ' * (place - start)}^"
    )
