"""The keys that tell runs from each other, and the value of each run on them.

Commands record what they vary and what they give, so the same value may be an axis of one command, be
given once by another, and be the default of a third. Here every run has its value on every key.
"""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from orchestrator.grid.config_values import DELETED, Missing
from orchestrator.planning.grouping import NOTHING, find_differing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.planning.grouping import Averaged, RunConfig

_MISSING: Final = Missing()


class LabelledRun(Protocol):
    """A run, with what it was created with as ``ChosenValues`` has it.

    ``config`` is None if it cannot be read or is not needed.
    """

    @property
    def overrides(self) -> Mapping[str, Value]:
        """The values on the axes."""

    @property
    def given(self) -> Mapping[str, Value]:
        """The values that its command gave to all of its runs."""

    @property
    def choices(self) -> Mapping[str, Value] | None:
        """The configs that it was composed of."""

    @property
    def config(self) -> RunConfig | None:
        """Its config."""


R = TypeVar("R", bound=LabelledRun)


class RunLabels:
    """The keys that tell runs from each other: short names first, then other keys of their configs.

    Short names are the axes of the commands that created the runs, and what these gave; a config group
    only if the choice of every run is known, and if the configs of runs with several choices differ in
    more than was given. The others are the keys in which runs differ that are alike in these.

    A mapping is not shown at a key at which others have another value: the keys in it are, where these tell
    the runs apart.

    Args:
        runs: The runs.
        averaged: The keys that do not tell runs apart.
    """

    def __init__(self, runs: Sequence[LabelledRun], averaged: Averaged = NOTHING) -> None:
        self._groups = _find_groups(runs)
        self._averaged = averaged
        self._inner: tuple[str, ...] | None = None  # as long as they are sought
        # Where a run has a mapping at a key at which others have none, the keys in it tell that.
        self._not_mappings = {
            key.removeprefix(DELETED)
            for run in runs
            for values in (run.overrides, run.given)
            for key, value in values.items()
            if key.startswith(DELETED) or not isinstance(value, dict)
        }
        swept = keys_of(run.overrides for run in runs)
        given = [key.removeprefix(DELETED) for key in keys_of(run.given for run in runs)]
        #: The keys with short names, those averaged over included.
        self.known = tuple(
            key
            for key in dict.fromkeys((*swept, *given))
            if self._is_known(runs, key) and (key in swept or self._varies(runs, key))
        )
        names = [key for key in self.known if key not in averaged]
        for key in [it for it in names if it in self._groups]:
            if self._misleads(runs, key, averaged):
                names.remove(key)
        differing: dict[str, None] = {}
        for group in self.group(runs, names):
            configs = [(_named(run), run.config) for run in group if run.config]
            differing |= dict.fromkeys(find_differing(configs, averaged))
        self._not_mappings |= differing.keys()
        #: The keys in which runs with the same short names differ.
        self.differing = tuple(differing)
        others = [key for key in differing if key not in names and key not in averaged]
        #: The keys that tell the runs apart.
        self.keys = (*names, *others)
        self._inner = tuple(key for key in self.keys if "." in key)

    def value(self, run: LabelledRun, key: str) -> Value | Missing:
        """Return the value of a run on a key."""
        is_group = key in self._groups
        if is_group and key in (choices := _choices(run)):
            return choices[key]
        for values in (run.overrides, run.given):
            # Anything else may be written another way in the config, such as an interpolation.
            if isinstance(value := values.get(key), bool | int | float):
                return value
        found = run.config.at(key) if run.config else _MISSING
        if isinstance(found, dict) and (is_group or (found and self._is_told_inside(run, key))):
            return _MISSING
        return _named(run).get(key, _MISSING) if isinstance(found, Missing) else found

    def _is_told_inside(self, run: LabelledRun, key: str) -> bool:
        """Return whether keys in a mapping tell what a run has there, or are averaged over."""
        if key not in self._not_mappings:
            return False
        if self._inner is None or run.config is None:
            return True
        inside = [it for it in run.config.leaves if it.startswith(f"{key}.")]
        return any(it in self._averaged for it in inside) or any(
            it.startswith(f"{key}.") and not isinstance(run.config.at(it), Missing)
            for it in self._inner
        )

    def values(self, run: LabelledRun, keys: Sequence[str]) -> str:
        """Return the values of a run on keys as JSON, equal for equal values."""
        found = [self.value(run, key) for key in keys]
        told = [None if isinstance(it, Missing) else [_plain(it)] for it in found]
        return json.dumps(told, sort_keys=True)

    def group(self, runs: Sequence[R], keys: Sequence[str]) -> list[list[R]]:
        """Return the runs in groups with the same values on keys, in order of first occurrence."""
        groups: dict[str, list[R]] = {}
        for run in runs:
            groups.setdefault(self.values(run, keys), []).append(run)
        return [*groups.values()]

    def _is_known(self, runs: Sequence[LabelledRun], key: str) -> bool:
        """Return whether the value of every run on a key is known; a config group may be unknown."""
        return key not in self._groups or not any(
            run.choices is None and key not in run.overrides and _has_config(run) for run in runs
        )

    def _varies(self, runs: Sequence[LabelledRun], key: str) -> bool:
        return len({self.values(run, [key]) for run in runs}) > 1

    def _misleads(self, runs: Sequence[LabelledRun], group: str, averaged: Averaged) -> bool:
        """Return whether runs have several choices of a group, but configs that do not show it.

        Then the given values made them equal, or the choices are two names of one config.
        """
        others = [key for key in self._groups if key != group]
        # One run stands for all of the same choices that have values given at the same keys.
        alike: dict[tuple[str, ...], dict[tuple[str, frozenset[str]], LabelledRun]] = {}
        for run in runs:
            if run.config:
                choices = _choices(run)
                found = alike.setdefault(tuple(str(choices.get(key)) for key in others), {})
                found.setdefault((str(choices.get(group)), self._given_keys(run)), run)
        return any(
            one[0] != other[0] and not self._is_shown(chosen[one], chosen[other], averaged)
            for chosen in alike.values()
            for one, other in combinations(chosen, 2)
        )

    def _is_shown(self, one: LabelledRun, other: LabelledRun, averaged: Averaged) -> bool:
        """Return whether configs differ in more than what was given, is averaged over, or follows from it."""
        configs = [run.config for run in (one, other) if run.config and run.config.leaves]
        if len(configs) < 2:  # noqa: PLR2004 # one that cannot be read says nothing
            return True
        given = self._given_keys(one) | self._given_keys(other)
        hidden = averaged.and_all(
            key
            for config in configs
            for key in config.leaves
            if any(_is_within(key, it) or _is_within(it, key) for it in given)
        )
        found = find_differing([({}, config) for config in configs], hidden)
        if any(key not in hidden for key in found):
            return True
        # That a switch has the value of another one does not mean that it follows from it.
        first, second = (config.leaves for config in configs)
        return any(
            isinstance(value, bool) and second.get(key) is (not value) and key not in hidden
            for key, value in first.items()
        )

    def _given_keys(self, run: LabelledRun) -> frozenset[str]:
        keys = (key.removeprefix(DELETED) for key in _named(run))
        return frozenset(key for key in keys if key not in self._groups)


def _choices(run: LabelledRun) -> Mapping[str, Value]:
    return run.overrides if run.choices is None else run.choices


def _is_within(key: str, above: str) -> bool:
    return key == above or key.startswith(f"{above}.")


def _plain(value: Value) -> Value:
    """Return a value that is written as all equal ones are: ``1`` and ``1.0`` are equal."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [*map(_plain, value)]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
    return value


def _named(run: LabelledRun) -> dict[str, Value]:
    return {**run.overrides, **run.given}


def _find_groups(runs: Sequence[LabelledRun]) -> frozenset[str]:
    """Return the keys that are config groups: a run records a choice of it, or has a mapping there."""
    recorded = {key for run in runs for key in run.choices or ()}
    texts = {
        key: run
        for run in runs
        if run.choices is None and run.config
        for key, value in run.overrides.items()
        if isinstance(value, str) and key not in recorded
    }
    found = (key for key, run in texts.items() if _is_choice(run, key))
    return frozenset((*recorded, *found))


def _is_choice(run: LabelledRun, key: str) -> bool:
    found = run.config.at(key) if run.config else _MISSING
    return isinstance(found, dict | Missing)


def _has_config(run: LabelledRun) -> bool:
    return run.config is not None and bool(run.config.leaves)


def keys_of(mappings: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    """Return all keys of mappings, each once, in order of first occurrence."""
    return tuple(dict.fromkeys(key for mapping in mappings for key in mapping))
