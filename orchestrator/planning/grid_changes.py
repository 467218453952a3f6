"""Earlier runs that the grid no longer names: the keys in which they differ from its points."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.grid.axes import place_point
from orchestrator.grid.config_diff import find_differences
from orchestrator.grid.config_values import Missing, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.grid.axes import Axis, Point
    from orchestrator.grid.config_diff import Difference
    from orchestrator.grid.config_values import Value

_ABSENT: Final = Missing()
_GUESSES: Final = 8


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run whose directory exists but that the grid no longer names."""

    overrides: Mapping[str, Value]
    config: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose value changed, both values as strings, and the number of runs it changed for."""

    key: str
    before: str
    now: str
    runs: int


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes between the runs that the grid no longer names and the grid.

    Of ``former`` run directories, ``compared`` were read; ``dropped`` of these are still points of
    the grid, but excluded by a filter or a setting. The most frequent change comes first.
    """

    former: int
    compared: int
    dropped: int
    changes: tuple[Change, ...]


def find_changes(
    former: int,
    compared: Sequence[EarlierRun],
    grids: Sequence[Sequence[Axis]],
    resolve: Callable[[Point], Mapping[str, Value] | None],
    exclude: Sequence[str] = (),
) -> Changes:
    """Compare earlier runs with the nearest points of the grids.

    The nearest point has the run's own value on every axis that has this value, and on the others
    the value that leaves the fewest differences. ``resolve`` returns the config of a point, None if it
    has none.
    """
    counts: Counter[Difference] = Counter()
    resolved: dict[str, Mapping[str, Value] | None] = {}
    dropped = 0
    for run in compared:
        differences = []
        near = itertools.chain.from_iterable(_near(run, at, axes) for at, axes in enumerate(grids))
        for point in itertools.islice(near, _GUESSES * len(grids)):
            name = repr(point)
            if name not in resolved:
                resolved[name] = resolve(point)
            config = resolved[name]
            if config is not None:
                differences.append(find_differences(run.config, config, exclude))
        if not differences:
            continue
        nearest = min(differences, key=len)
        counts.update(nearest)
        dropped += not nearest
    changes = (Change(it.key, it.before, it.now, runs) for it, runs in counts.most_common())
    return Changes(former, len(compared), dropped, tuple(changes))


def changes_as_json(changes: Changes) -> dict[str, object]:
    """Return the changes as ``orch plan --json`` prints them."""
    return {
        "former": changes.former,
        "compared": changes.compared,
        "dropped": changes.dropped,
        "keys": [
            {"key": item.key, "before": item.before, "now": item.now, "runs": item.runs}
            for item in changes.changes
        ],
    }


def _near(run: EarlierRun, grid: int, axes: Sequence[Axis]) -> Iterator[Point]:
    """Yield the points of a grid that have the values of a run, a few of them."""
    choices = []
    for axis in axes:
        known = [at for at in range(len(axis.values)) if _has_values(run, axis, at)]
        is_set = any(each.key in run.overrides for each in axis.each)
        unset = [axis.unset] if axis.when is not None else []
        choices.append(known[:1] or unset * (not is_set) or [*range(axis.positions)])
    places = itertools.islice(itertools.product(*choices), _GUESSES)
    return (place_point(axes, at, grid) for at in places)


def _has_values(run: EarlierRun, axis: Axis, at: int) -> bool:
    return all(same(each.values[at], run.overrides.get(each.key, _ABSENT)) for each in axis.each)
