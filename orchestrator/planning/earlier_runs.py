"""Changes: in which keys the runs of before differ from the nearest runs of the grid now."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.grid.axes import Point
from orchestrator.grid.config_diff import find_differences
from orchestrator.grid.config_values import Missing, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.grid.axes import Axis
    from orchestrator.grid.config_diff import Difference
    from orchestrator.grid.config_values import Value

_ABSENT: Final = Missing()
_GUESSES: Final = 8


@dataclass(frozen=True, slots=True)
class Former:
    """What a run directory that the grid no longer names says of its run."""

    overrides: Mapping[str, Value]
    config: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Change:
    """A key that has another value now, as text, in how many of the former runs."""

    key: str
    before: str
    now: str
    runs: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of runs that the grid no longer names.

    Of ``former`` run directories, ``compared`` were looked into; ``dropped`` of these are points
    of the grid still, which a filter or a setting keeps out. The most frequent change comes first.
    """

    former: int
    compared: int
    dropped: int
    changes: tuple[Change, ...]


def find_changes(
    former: int,
    looked_into: Sequence[Former],
    axes: Sequence[Axis],
    resolve: Callable[[Point], Mapping[str, Value]],
    exclude: Sequence[str] = (),
) -> Changes:
    """Compare former runs with the nearest points of the grid.

    The nearest point has the former run's own values on every axis that knows them; on the others,
    the value that leaves the fewest differences.
    """
    counts: Counter[Difference] = Counter()
    resolved: dict[str, Mapping[str, Value]] = {}
    dropped = 0
    for run in looked_into:
        differences = []
        for point in itertools.islice(_near(run, axes), _GUESSES):
            name = repr(point)
            if name not in resolved:
                resolved[name] = resolve(point)
            differences.append(find_differences(run.config, resolved[name], exclude))
        nearest = min(differences, key=len)
        counts.update(nearest)
        dropped += not nearest
    changes = (Change(it.key, it.before, it.now, runs) for it, runs in counts.most_common())
    return Changes(former, len(looked_into), dropped, tuple(changes))


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


def _near(run: Former, axes: Sequence[Axis]) -> Iterator[Point]:
    choices = []
    for axis in axes:
        mine = run.overrides.get(axis.key, _ABSENT)
        known = [value for value in axis.values if same(value, mine)]
        choices.append(known[:1] or list(axis.values))
    for values in itertools.product(*choices):
        yield Point(dict(zip((axis.key for axis in axes), values, strict=True)))
