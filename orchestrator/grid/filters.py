"""Filters and their meaning: ``case ! condition`` drops a point when both sides hold.

``filter_parser`` parses them. A config group is compared with a string by the name of its choice:
``model == "mlp"`` even if ``model`` is a mapping with ``model.name`` and more.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from orchestrator.errors import FilterError, Marked
from orchestrator.grid.config_values import (
    Missing,
    Value,  # dataclasses keep it as a type
    is_known,
    is_number,
    look_up,
    same,
    show,
)
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ORDERINGS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SHOWN: Final = 80
_OF_EQUALITY: Final = ("==", "!=", "in")
OPERATORS: Final = (*_OF_EQUALITY[:2], *_ORDERINGS, "in")
# The chosen configs of a composed config, by their groups.
Choices: TypeAlias = "Mapping[str, str]"
NO_CHOICES: Final[Choices] = {}


@dataclass(frozen=True, slots=True)
class Key:
    """A dotted path into the resolved config, and its position in the filter."""

    path: str
    place: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison ``key operator operand``; ``place`` is the operator's position, counted from 0."""

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
        """The dotted paths that it reads."""
        return frozenset(
            key.path
            for comparison in self.comparisons
            for key in (comparison.key, comparison.operand)
            if isinstance(key, Key)
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter; ``text`` is its source."""

    text: str
    case: Side
    condition: Side

    @property
    def keys(self) -> frozenset[str]:
        """The dotted paths that the filter reads."""
        return self.case.keys | self.condition.keys

    def excludes(self, config: Mapping[str, Value], choices: Choices = NO_CHOICES) -> bool:
        """Return whether the point with this resolved config and these choices is dropped.

        Raises:
            FilterError: It orders values that have no order.
        """
        sides = (self.case, self.condition)
        return all(_holds(self.text, side, config, choices) for side in sides)


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of an option such as ``--only``: one side of a filter, which a run has to meet.

    ``source`` is the name of the option.
    """

    text: str
    side: Side
    source: str = "--only"

    @property
    def keys(self) -> frozenset[str]:
        """The dotted paths that it reads."""
        return self.side.keys

    def holds(self, config: Mapping[str, Value], choices: Choices = NO_CHOICES) -> bool:
        """Return whether the run with this resolved config and these choices meets the condition.

        Raises:
            FilterError: It orders values that have no order.
        """
        try:
            return _holds(self.text, self.side, config, choices)
        except FilterError as error:
            raise error.at(source=self.source) from None


def is_key_of(config: Mapping[str, Value], choices: Choices, path: str) -> bool:
    """Return whether a config has a key, or there is a choice for a group of that name."""
    return path in choices or is_known(config, path)


def _holds(text: str, side: Side, config: Mapping[str, Value], choices: Choices) -> bool:
    combine = any if side.any_of else all
    return combine(_compare(text, comparison, config, choices) for comparison in side.comparisons)


def _compare(
    text: str, comparison: Comparison, config: Mapping[str, Value], choices: Choices
) -> bool:
    key, operand = comparison.key, comparison.operand
    left = look_up(config, key.path)
    right = look_up(config, operand.path) if isinstance(operand, Key) else operand
    if choices and comparison.operator in _OF_EQUALITY:
        left = _choice_of(key, left, right, choices)
        if isinstance(operand, Key):
            right = _choice_of(operand, right, left, choices)
    if isinstance(left, Missing) or isinstance(right, Missing):
        return False
    match comparison.operator:
        case "==":
            return same(left, right)
        case "!=":
            return not same(left, right)
        case "in":
            if not isinstance(right, list):
                _refuse(text, comparison, f"{_short(right)} is not a list", left, right)
            return any(same(left, item) for item in right)
        case ordering:
            if not (is_number(left) and is_number(right)) and not (
                isinstance(left, str) and isinstance(right, str)
            ):
                _refuse(
                    text,
                    comparison,
                    f"{_short(left)} and {_short(right)} have no order",
                    left,
                    right,
                )
            return _ORDERINGS[ordering](left, right)


def _choice_of(
    key: Key, found: Value | Missing, other: Value | Missing, choices: Choices
) -> Value | Missing:
    """Return the name of a group's choice if it is compared with a string, else the value."""
    is_text = isinstance(other, str) or (
        isinstance(other, list) and any(isinstance(item, str) for item in other)
    )
    if is_text and isinstance(found, dict | Missing):
        return choices.get(key.path, found)
    return found


def _refuse(text: str, comparison: Comparison, why: str, left: Value, right: Value) -> NoReturn:
    quoted = {comparison.key.path: _short(left)}
    if isinstance(comparison.operand, Key):
        quoted[comparison.operand.path] = _short(right)
    fail_at(text, comparison.place, f"{comparison.key.path}: {why}", quoted)


def _short(value: Value) -> str:
    if isinstance(value, dict | list):  # its content may be long, or a secret
        return "a mapping" if isinstance(value, dict) else "a list"
    text = show(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def fail_at(text: str, place: int, why: str, quoted: Mapping[str, str] | None = None) -> NoReturn:
    """Raise an error that shows the filter with a caret under the character at ``place``."""
    # Control characters would shift the caret, or control the user's terminal.
    raise FilterError(why, quoted, marked=Marked(printable(text), place))
