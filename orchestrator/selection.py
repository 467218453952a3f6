"""The selection: which points of a grid are runs, and what became of the others."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import FilterError
from orchestrator.filter_grammar import parse_filter
from orchestrator.filters import is_known, show
from orchestrator.identity import Run, identify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from orchestrator.filters import Filter
    from orchestrator.grid import Point, Value
    from orchestrator.state import RunId


@dataclass(frozen=True, slots=True)
class FilterCount:
    """How many points a filter dropped; a point that several drop counts for the first."""

    filter: str
    excluded: int


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A point that was dropped, and the filter that did it."""

    point: Point
    filter: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What became of every point: ``points == len(runs) + duplicates + len(exclusions)``.

    ``warnings`` name keys that a filter looks at and no point has.
    """

    points: int
    duplicates: int
    runs: tuple[Run, ...]
    filters: tuple[FilterCount, ...]
    exclusions: tuple[Exclusion, ...]
    warnings: tuple[str, ...]


def select_runs(
    points: Iterable[Point],
    resolve: Callable[[Point], Mapping[str, Value]],
    filters: Sequence[str],
    exclude: Sequence[str] = (),
) -> Selection:
    """Drop the points that a filter excludes, then those that repeat an earlier run.

    Args:
        points: The grid's points, in order; the runs keep it.
        resolve: Gives the resolved config of a point.
        filters: The texts of the filters.
        exclude: Dotted keys that do not count for the identity.

    Raises:
        FilterError: A filter cannot be parsed, or orders what has no order.
        IdentityError: A config has no stable form.
    """
    parsed = [parse_filter(text) for text in filters]
    unseen = {key: item for item in reversed(parsed) for key in item.keys}
    runs: dict[RunId, Run] = {}
    exclusions: list[Exclusion] = []
    total, duplicates = 0, 0
    config: Mapping[str, Value] = {}
    for point in points:
        total += 1
        config = resolve(point)
        for key in [key for key in unseen if is_known(config, key)]:
            del unseen[key]
        culprit = _first_that_excludes(parsed, point, config)
        if culprit is not None:
            exclusions.append(Exclusion(point, culprit.text))
            continue
        run = identify(config, point.values, exclude)
        duplicates += run.run_id in runs
        runs.setdefault(run.run_id, run)
    counts = Counter(exclusion.filter for exclusion in exclusions)
    return Selection(
        points=total,
        duplicates=duplicates,
        runs=tuple(runs.values()),
        filters=tuple(FilterCount(text, counts[text]) for text in dict.fromkeys(filters)),
        exclusions=tuple(exclusions),
        warnings=tuple(_misspelt(key, item, config) for key, item in unseen.items()),
    )


def describe_point(values: Mapping[str, Value]) -> str:
    """Write the values of a point's axes in one line: ``model=mlp seed=0``."""
    texts = (
        f"{key}={value}" if isinstance(value, str) else f"{key}={show(value)}"
        for key, value in values.items()
    )
    return " ".join(texts) or "the only point"


def _first_that_excludes(
    filters: Sequence[Filter], point: Point, config: Mapping[str, Value]
) -> Filter | None:
    for item in filters:
        try:
            if item.excludes(config):
                return item
        except FilterError as error:
            raise FilterError(f"{error}\n    at the point {describe_point(point.values)}") from None
    return None


def _misspelt(key: str, item: Filter, config: Mapping[str, Value]) -> str:
    near = difflib.get_close_matches(key, list(_dotted_keys(config)), n=1)
    hint = f"Did you mean '{near[0]}'?" if near else "If it is text, put it in quotes."
    return f"no point has the key '{key}' of the filter {item.text!r}. {hint}"


def _dotted_keys(config: Mapping[str, Value], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _dotted_keys(value, f"{prefix}{key}.")
