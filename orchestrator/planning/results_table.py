"""The comparison of runs: metrics averaged over the runs that differ only in their seed."""

from __future__ import annotations

import difflib
import fnmatch
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.grid.config_values import Missing, rank_of
from orchestrator.planning.grouping import Averaged
from orchestrator.planning.metric_direction import Direction, direction_of
from orchestrator.planning.run_labels import RunLabels, keys_of
from orchestrator.planning.run_results import GPU_MEMORY, is_of_test
from orchestrator.planning.sample_statistics import mean_of, std_of
from orchestrator.rundir.metric_names import BEST
from orchestrator.rundir.state import State
from orchestrator.rundir.state_words import WORDS, word_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.planning.run_results import RunResults


_MISSING: Final = Missing()
_DIRECTIONS: Final = {"min": Direction.LESS, "max": Direction.MORE}


@dataclass(frozen=True, slots=True)
class Cell:
    """A metric over the runs of a row that have it; ``std`` is the sample's, None for one run.

    They are ``runs`` of the ``of`` that have results.
    """

    mean: float
    std: float | None
    runs: int = 1
    of: int = 1

    @property
    def is_partial(self) -> bool:
        """Whether runs that have results lack the metric."""
        return self.runs < self.of


@dataclass(frozen=True, slots=True)
class Row:
    """The runs with the same values on the axes, and their metrics.

    ``members`` are the runs, by their values on the keys averaged over, as JSON.
    """

    overrides: Mapping[str, Value]
    members: tuple[tuple[str, RunResults], ...]
    cells: Mapping[str, Cell]

    @property
    def runs(self) -> int:
        """The number of runs."""
        return len(self.members)

    @property
    def with_results(self) -> int:
        """The number of runs that have results."""
        return sum(run.metrics is not None for _, run in self.members)

    @property
    def states(self) -> Mapping[State, int]:
        """The number of runs in each state that some run is in."""
        counts = Counter(run.state for _, run in self.members)
        return {state: counts[state] for state in State if counts[state]}

    @property
    def words(self) -> Mapping[str, int]:
        """The number of runs by the word for their state, in the order of the states."""
        counts = Counter(word_of(run) for _, run in self.members)
        return {word: counts[word] for word in WORDS if counts[word]}

    def count_with(self, metric: str) -> int:
        """Return the number of runs that have a metric."""
        return sum(metric in (run.metrics or {}) for _, run in self.members)

    @property
    def versions(self) -> frozenset[int | None]:
        """The versions of the numbers behind the results.

        With several, results may differ although nothing else does.
        """
        return frozenset(each for _, run in self.members for each in run.versions)


@dataclass(frozen=True, slots=True)
class ResultsTable:
    """The table of results: its rows, best first; ``over`` are the keys averaged over.

    The metric by which they are sorted is the first of the ``metrics``.

    If no metric was asked for and only the test set has any, ``sorted_by`` is None, and the rows are
    in the order of the grid. If it is unknown whether less or more of the metric is better, the
    largest values come first.
    """

    axes: tuple[str, ...]
    over: tuple[str, ...]
    metrics: tuple[str, ...]
    sorted_by: str | None
    rows: tuple[Row, ...]
    direction: Direction = Direction.UNKNOWN

    def is_partial(self, metric: str) -> bool:
        """Return whether runs that have results lack a metric that others of their row have."""
        return any(row.cells[metric].is_partial for row in self.rows if metric in row.cells)


def compare(
    runs: Sequence[RunResults],
    over: Sequence[str] = (),
    sort_by: str | None = None,
    *,
    each: bool = False,
    mode: str | None = None,
) -> ResultsTable:
    """Group runs by the keys they differ in, and sort the groups by a metric.

    Runs are grouped by the keys that tell them from each other, as ``RunLabels`` has them. Groups
    without results come last, in the order of their values.

    Args:
        runs: The runs.
        over: The keys to average over; empty: each key named ``seed``.
        sort_by: The metric to sort by; None: as ``default_metric`` has it.
        each: Whether each run makes a row of its own, and nothing is averaged.
        mode: Whether the ``max`` or the ``min`` of the metric that chose the best iteration is better;
            None: as its name tells.

    Raises:
        UsageError: There is no such axis, or no such metric.
    """
    metrics = keys_of(run.metrics or {} for run in runs)
    averaged = Averaged(over)
    labels = RunLabels(runs, averaged)
    if runs:
        leaves = next((run.config.leaves for run in runs if over and run.config), ())
        _require("axis", [key for key in over if key not in leaves], labels.known)
        _require("metric", [sort_by] if sort_by else [], metrics)
    axes = labels.keys
    named = tuple(over) or tuple(
        key for key in dict.fromkeys((*labels.known, *labels.differing)) if key in averaged
    )
    if each:
        axes, named = (*axes, *named), ()
    groups = [[run] for run in runs] if each else labels.group(runs, axes)
    rows = [_row(group, labels, axes, named, metrics) for group in groups]
    tested = frozenset(name for run in runs for name in run.tested)
    chosen, direction = sort_by or default_metric(metrics, tested), Direction.UNKNOWN
    if chosen or not metrics:
        direction = _direction(chosen, mode) if chosen else direction
        rows = _in_order(rows, chosen or "", direction, axes)
    return ResultsTable(axes, named, _first(chosen, metrics), chosen, tuple(rows), direction)


def _in_order(
    rows: Sequence[Row], metric: str, direction: Direction, axes: Sequence[str]
) -> list[Row]:
    """Return the rows, the best by a metric first; those without a number are last, by their values."""
    ranks = [(_rank(row.cells.get(metric), direction), row) for row in rows]
    ranked = sorted((each for each in ranks if not each[0][0]), key=lambda each: each[0])
    others = [row for (is_last, _), row in ranks if is_last]
    others.sort(key=lambda row: [rank_of(row.overrides.get(axis, _MISSING)) for axis in axes])
    return [*(row for _, row in ranked), *others]


def choose_columns(compared: ResultsTable, patterns: Sequence[str]) -> ResultsTable:
    """Return the table with only the metrics that match a pattern such as ``validation/*``.

    Raises:
        UsageError: A pattern matches none.
    """
    chosen: dict[str, None] = {}
    for pattern in patterns:
        exact = [pattern] if pattern in compared.metrics else []
        found = exact or fnmatch.filter(compared.metrics, pattern)
        _require("metric", [] if found else [pattern], compared.metrics)
        chosen |= dict.fromkeys(found)
    return replace(compared, metrics=_first(compared.sorted_by, chosen))


def _first(sorted_by: str | None, metrics: Iterable[str]) -> tuple[str, ...]:
    """Return metrics in the order of columns: that of the ranking first, on a screen as in a file."""
    return tuple(sorted(metrics, key=lambda metric: metric != sorted_by))


def _row(
    group: Sequence[RunResults],
    labels: RunLabels,
    axes: Sequence[str],
    over: Sequence[str],
    metrics: Sequence[str],
) -> Row:
    finished = [run.metrics for run in group if run.metrics is not None]
    cells = {}
    for metric in metrics:
        values = [found[metric] for found in finished if metric in found]
        if values:
            cells[metric] = replace(_cell(values), runs=len(values), of=len(finished))
    found = ((axis, labels.value(group[0], axis)) for axis in axes)
    overrides = {axis: value for axis, value in found if not isinstance(value, Missing)}
    return Row(overrides, tuple((labels.values(run, over), run) for run in group), cells)


def _cell(values: Sequence[float]) -> Cell:
    if len(values) == 1:
        return Cell(values[0], None)
    if not all(map(math.isfinite, values)):
        return Cell(sum(values) / len(values), math.nan)
    return Cell(mean_of(values), std_of(values))


def default_metric(metrics: Sequence[str], tested: Container[str] = ()) -> str | None:
    """Return the metric to sort by if none is asked for; never one that is named after the test set.

    That is the metric that chose the best iteration, or else the first one of the validation, or else
    the first one that the programs report. Those that only the results at the end have (``tested``)
    come last in each.
    """
    ordered = sorted(metrics, key=lambda metric: metric in tested)
    usable = [metric for metric in ordered if not is_of_test(metric) and metric != GPU_MEMORY]
    best = next((metric for metric in usable if metric.startswith(BEST)), None)
    validation = next((metric for metric in usable if "val" in metric.lower()), None)
    return best or validation or next(iter(usable), None)


def _direction(metric: str, mode: str | None) -> Direction:
    """Return which values of a metric are better: as the config says, or else its name."""
    said = _DIRECTIONS.get(mode or "") if metric.startswith(BEST) else None
    return said or direction_of(metric)


def _rank(cell: Cell | None, direction: Direction) -> tuple[bool, float]:
    """Return the sort key: the best first, rows without a number last."""
    if cell is None or math.isnan(cell.mean):
        return True, 0.0
    return False, cell.mean if direction is Direction.LESS else -cell.mean


def _require(what: str, names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            there = f"Choose one of {', '.join(known)}" if known else "There is none yet"
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UsageError(f"no run has the {what} {name!r}.{hint} {there}.")
