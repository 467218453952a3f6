"""The comparison of finished runs: metrics averaged over the runs that differ only in their seed."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.grid.config_values import Missing
from orchestrator.planning.grouping import Averaged, find_differing
from orchestrator.planning.metric_direction import Direction, direction_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.planning.grouping import RunConfig


_MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class RunResults:
    """The results of one run; ``metrics`` is None while it has none.

    ``config`` is None if it cannot be read. ``versions`` are those of the trainer's numbers that
    contributed to the results.
    """

    overrides: Mapping[str, Value]
    metrics: Mapping[str, float] | None
    config: RunConfig | None = None
    versions: frozenset[int | None] = frozenset()


@dataclass(frozen=True, slots=True)
class Cell:
    """A metric over the runs of a row that have it; ``std`` is the sample's, None for one run."""

    mean: float
    std: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """The runs with the same values on the axes: their number, and how many have results.

    ``versions`` are those of the numbers behind the results: with several, results may differ
    although nothing else does.
    """

    overrides: Mapping[str, Value]
    runs: int
    with_results: int
    cells: Mapping[str, Cell]
    versions: frozenset[int | None] = frozenset()


@dataclass(frozen=True, slots=True)
class ResultsTable:
    """The table of results: its rows, best first; ``over`` are the keys averaged over.

    If it is unknown whether less or more of the metric is better, the largest values come first.
    """

    axes: tuple[str, ...]
    over: tuple[str, ...]
    metrics: tuple[str, ...]
    sorted_by: str | None
    rows: tuple[Row, ...]
    direction: Direction = Direction.UNKNOWN


def compare(
    outcomes: Sequence[RunResults], over: Sequence[str] = (), sort_by: str | None = None
) -> ResultsTable:
    """Group runs by the keys they differ in, and sort the groups by a metric.

    Runs are grouped by the axes of the commands that started them, and by every other key in which
    the configs of a group differ. Groups without results come last.

    Args:
        outcomes: The runs.
        over: The keys to average over; empty: each key named ``seed``.
        sort_by: The metric to sort by; None: the first one.

    Raises:
        UsageError: There is no such axis, or no such metric.
    """
    keys = _names(outcome.overrides for outcome in outcomes)
    metrics = _names(outcome.metrics or {} for outcome in outcomes)
    averaged = Averaged(over)
    if outcomes:
        known = next((each.config.leaves for each in outcomes if over and each.config), ())
        _require("axis", [key for key in over if key not in known], keys)
        _require("metric", [sort_by] if sort_by else [], metrics)
    axes = tuple(key for key in keys if key not in averaged)
    differing: dict[str, None] = {}
    for group in _group(outcomes, axes):
        configs = [(each.overrides, each.config) for each in group if each.config]
        differing |= dict.fromkeys(find_differing(configs, averaged))
    axes += tuple(key for key in differing if key not in (*axes, *keys) and key not in averaged)
    rows = [_row(group, axes, metrics) for group in _group(outcomes, axes)]
    chosen, direction = sort_by or next(iter(metrics), None), Direction.UNKNOWN
    if chosen:
        direction = direction_of(chosen)
        rows.sort(key=lambda row: _rank(row.cells.get(chosen), direction))
    named = tuple(over) or tuple(
        key for key in dict.fromkeys((*keys, *differing)) if key in averaged
    )
    return ResultsTable(axes, named, metrics, chosen, tuple(rows), direction)


def comparison_as_json(comparison: ResultsTable) -> dict[str, object]:
    """Return the comparison as ``orch results --json`` prints it."""
    return {
        "schema": 1,
        "axes": list(comparison.axes),
        "over": list(comparison.over),
        "sorted_by": comparison.sorted_by,
        "better": comparison.direction.value if comparison.sorted_by else None,
        "rows": [
            {
                "overrides": dict(row.overrides),
                "runs": row.runs,
                "with_results": row.with_results,
                "numbers": sorted(row.versions, key=str),
                "metrics": {
                    key: {"mean": _finite(cell.mean), "std": cell.std and _finite(cell.std)}
                    for key, cell in row.cells.items()
                },
            }
            for row in comparison.rows
        ],
    }


def _group(outcomes: Sequence[RunResults], axes: Sequence[str]) -> list[list[RunResults]]:
    groups: dict[str, list[RunResults]] = {}
    for outcome in outcomes:
        values = [_value(outcome, axis) for axis in axes]
        key = json.dumps([None if isinstance(value, Missing) else [value] for value in values])
        groups.setdefault(key, []).append(outcome)
    return list(groups.values())


def _value(outcome: RunResults, axis: str) -> Value | Missing:
    """Return the value of a run on an axis, from its overrides or else from its config."""
    if axis in outcome.overrides:
        return outcome.overrides[axis]
    return outcome.config.leaves.get(axis, _MISSING) if outcome.config else _MISSING


def _row(group: Sequence[RunResults], axes: Sequence[str], metrics: Sequence[str]) -> Row:
    finished = [outcome.metrics for outcome in group if outcome.metrics is not None]
    cells = {}
    for metric in metrics:
        values = [found[metric] for found in finished if metric in found]
        if values:
            cells[metric] = _cell(values)
    found = ((axis, _value(group[0], axis)) for axis in axes)
    overrides = {axis: value for axis, value in found if not isinstance(value, Missing)}
    versions = frozenset(each for outcome in group for each in outcome.versions)
    return Row(overrides, len(group), len(finished), cells, versions)


def _cell(values: Sequence[float]) -> Cell:
    if len(values) == 1:
        return Cell(values[0], None)
    if not all(map(math.isfinite, values)):
        return Cell(sum(values) / len(values), math.nan)
    return Cell(statistics.fmean(values), statistics.stdev(values))


def _rank(cell: Cell | None, direction: Direction) -> tuple[bool, float]:
    """Return the sort key: the best first, rows without a number last."""
    if cell is None or math.isnan(cell.mean):
        return True, 0.0
    return False, cell.mean if direction is Direction.LESS else -cell.mean


def _finite(number: float) -> float | str:
    return number if math.isfinite(number) else str(number)


def _names(mappings: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for mapping in mappings for key in mapping))


def _require(what: str, names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            there = f"Choose one of {', '.join(known)}" if known else "There is none yet"
            raise UsageError(f"no run has the {what} {name!r}. {there}.")
