"""The filters per point, and the condition that a run has to meet.

Filters are read from ``_filters`` in the config, so each point has its own: a config choice may add
some, and they may contain interpolations of axes. Each distinct filter has one number per grid.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from orchestrator.errors import ConfigError, FilterError
from orchestrator.grid.config_values import nearest_key, show
from orchestrator.grid.filter_parser import parse_filter
from orchestrator.grid.filters import is_key_of
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.filters import Choices, Condition, Filter

# The number of the filter that drops a point, if any, and whether the point meets the condition.
Verdict: TypeAlias = tuple[int | None, bool]
FILTERS: Final = "_filters"
_SHOWN: Final = 80


class Rules:
    """The filters of all points, ``always`` those that every point has, and a condition."""

    def __init__(self, always: Sequence[str] = (), condition: Condition | None = None) -> None:
        self._always = tuple(always)
        self._filters: dict[str, tuple[int, Filter]] = {}
        self._unseen: dict[str, Filter] = {}
        self._unmet = set(condition.keys) if condition else set()
        self.condition = condition

    @property
    def texts(self) -> list[str]:
        """The sources of the filters read so far, in the order of their numbers."""
        return list(self._filters)

    def filters_of(self, config: Mapping[str, Value]) -> list[tuple[int, Filter]]:
        """Return the filters of the point with this resolved config, with their numbers.

        Raises:
            ConfigError: ``_filters`` is not a list of strings.
            FilterError: One does not follow the grammar.
        """
        texts = dict.fromkeys((*self._always, *read_filters(config.get(FILTERS))))
        return [self._filters.get(text) or self._add(text) for text in texts]

    def _add(self, text: str) -> tuple[int, Filter]:
        item = parse_filter(text)
        for key in sorted(item.keys):
            self._unseen.setdefault(key, item)
        self._filters[text] = len(self._filters), item
        return self._filters[text]

    def judge(self, config: Mapping[str, Value], choices: Choices) -> Verdict:
        """Return the first filter that drops a point, and whether the point meets the condition.

        Raises:
            FilterError: One of them orders values that have no order.
        """
        for number, item in self.filters_of(config):
            if item.excludes(config, choices):
                return number, False
        return None, self.condition is not None and self.condition.holds(config, choices)

    def forget_keys(self, unknown: Callable[[Sequence[str]], Sequence[str]]) -> None:
        """Mark all keys as known except those that ``unknown`` returns."""
        kept = unknown(list(self._unseen))
        self._unseen = {key: self._unseen[key] for key in kept}
        self._unmet = set(unknown(sorted(self._unmet)))

    def forget_keys_of(self, config: Mapping[str, Value], choices: Choices) -> None:
        """Mark the keys of a point as known."""
        if self._unseen or self._unmet:
            self.forget_keys(
                lambda keys: [key for key in keys if not is_key_of(config, choices, key)]
            )

    def warnings(self, config: Mapping[str, Value]) -> tuple[str, ...]:
        """Return warnings about keys that no point has; ``config`` is the config of any point."""
        return tuple(_misspelt(key, item, config) for key, item in self._unseen.items())

    def check_condition(self, config: Mapping[str, Value]) -> None:
        """Make sure that some point has each key of the condition; ``config`` is that of any point.

        Raises:
            FilterError: No point has one of them.
        """
        if self.condition is not None and self._unmet:
            key = min(self._unmet)
            near = nearest_key(config, key)
            hint = f" Did you mean {near}?" if near else " If it is a string, put it in quotes."
            given = f"{self.condition.source} {_short(self.condition.text)!r}"
            raise FilterError(
                f"{given}: no run has the key {_short(key)!r}.{hint}", unknown=sorted(self._unmet)
            )


def read_filters(value: Value) -> tuple[str, ...]:
    """Return the filters of a config as strings.

    Raises:
        ConfigError: It is not a list of strings.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ConfigError(
            "_filters is not a list of strings. Write one filter per line, after '- '."
        )
    for number, item in enumerate(value, 1):
        if not isinstance(item, str):
            raise ConfigError(
                f"_filters, number {number}: {printable(show(item))[:_SHOWN]} is not a string."
                " Write the filter in single quotes."
            )
    return tuple(str(item) for item in value)


@contextmanager
def naming_the_point(describe: Callable[[], str]) -> Iterator[None]:
    """Add the point to the error of a filter that orders values that have no order.

    Raises:
        FilterError: The block raised one.
    """
    try:
        yield
    except FilterError as error:
        raise error.at(point=describe()) from None


def _misspelt(key: str, item: Filter, config: Mapping[str, Value]) -> str:
    near = nearest_key(config, key)
    hint = f"Did you mean '{near}'?" if near else "If it is a string, put it in quotes."
    return f"no point has the key '{key}' of the filter {item.text!r}. {hint}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
