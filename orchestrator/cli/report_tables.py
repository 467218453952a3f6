"""The tables of the page that ``orch report`` writes: axes, filters, results and runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from orchestrator.cli.report_contents import duration
from orchestrator.cli.results_formats import is_of_single_runs, shown_cell, shown_runs
from orchestrator.cli.results_notes import PARTIAL
from orchestrator.cli.status_table import iteration_of
from orchestrator.cli.table_columns import cell_of, digits_by_axis, digits_of, metric_cell
from orchestrator.cli.tables import count_of
from orchestrator.grid.config_values import is_number, rank_of
from orchestrator.grid.identity import short
from orchestrator.pictures.report_page import make_table
from orchestrator.planning.results_by_axis import places_of
from orchestrator.rundir.state_words import word_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.cli.report_contents import RunFacts
    from orchestrator.cli.runs_for_results import ComparedRuns
    from orchestrator.grid.config_values import Missing, Value
    from orchestrator.pictures.report_page import ReportTable
    from orchestrator.planning.results_table import ResultsTable

_MOST_VALUES: Final = 20


def axes_table(found: ComparedRuns, compared: ResultsTable) -> ReportTable:
    """Return the axes with their values: those of the grid, or else those of the runs."""
    if found.planned is not None:
        described = found.planned.described
        rows = [(axis.key, _listed(axis.values)) for axis in described.axes]
        selection = found.planned.plan.selection
        parts = [count_of(selection.points, "point")]
        if selection.exclusions:
            parts.append(f"{len(selection.exclusions)} excluded by filters")
        if selection.duplicates:
            parts.append(count_of(selection.duplicates, "duplicate"))
        told = f"the grid: {', '.join([*parts, count_of(len(selection.runs), 'run')])}"
        return make_table(told, ["axis", "values"], rows)
    rows = [
        (axis, _listed([value for _, value in places_of(compared.rows, axis).values()]))
        for axis in compared.axes
    ]
    rows += [(axis, _listed(_averaged_values(compared, axis))) for axis in compared.over]
    return make_table(
        "all runs of the experiment, by the keys in which they differ", ["axis", "values"], rows
    )


def filters_table(found: ComparedRuns) -> ReportTable | None:
    """Return the filters with what each excluded; None without a filter."""
    if found.planned is None or not found.planned.plan.selection.filters:
        return None
    rows = [(each.filter, each.excluded) for each in found.planned.plan.selection.filters]
    return make_table("filters", ["filter", "excluded points"], rows)


def results_of_rows(compared: ResultsTable) -> ReportTable:
    """Return the rows of ``orch results`` with all their metrics, the sorting one first."""
    metrics, single = compared.metrics, is_of_single_runs(compared)
    digits = digits_by_axis([row.overrides for row in compared.rows], compared.axes)
    rows = []
    for row, counted in zip(compared.rows, shown_runs(compared), strict=True):
        cells: list[object] = [short(row.members[0][1].run_id)] if single else []
        cells += [_value(row.overrides, axis, digits[axis]) for axis in compared.axes]
        cells.append(counted if single else (counted, row.with_results))
        for metric in metrics:
            cell = row.cells.get(metric)
            cells.append((shown_cell(cell), cell.mean if cell else None))
        rows.append(cells)
    over = ", ".join(compared.over)
    told = f"mean ± standard deviation over {over}" if over else "one row per run"
    told += f"; {PARTIAL}" if any(map(compared.is_partial, metrics)) else ""
    named = ["run", *compared.axes, "state"] if single else [*compared.axes, "runs"]
    return make_table(told, [*named, *metrics], rows)


def runs_table(
    found: ComparedRuns, compared: ResultsTable, facts: Mapping[str, RunFacts]
) -> ReportTable:
    """Return a row per run, with its state, times and the metric that ranks."""
    axes = [*compared.axes, *compared.over]
    metric = [compared.sorted_by] if compared.sorted_by else []
    values = {
        run.run_id: {**row.overrides, **_averaged(compared, over)}
        for row in compared.rows
        for over, run in row.members
    }
    digits = digits_by_axis([*values.values()], axes)
    rows = []
    for row in compared.rows:
        for _, run in row.members:
            known = facts.get(run.run_id)
            status = known.status if known else None
            iteration = iteration_of(known.report) if known else ""
            seconds = known.seconds if known else None
            rows.append(
                [
                    short(run.run_id),
                    *(_value(values[run.run_id], axis, digits[axis]) for axis in axes),
                    word_of(run),
                    *(_metric(run.metrics, name) for name in metric),
                    (iteration, float(iteration.partition("/")[0])) if iteration else None,
                    status.attempt if status else None,
                    (duration(seconds), seconds) if seconds is not None else None,
                    status.host if status else None,
                ]
            )
    headers = ["run", *axes, "state", *metric, "iteration", "attempts", "last attempt", "host"]
    return make_table(
        f"{count_of(len(found.runs), 'run')}, in the order of the results", headers, rows
    )


def _metric(metrics: Mapping[str, float] | None, name: str) -> tuple[str, float] | None:
    """Return a metric as tables show it, and the number that it is sorted by."""
    value = (metrics or {}).get(name)
    return None if value is None else (metric_cell(value), value)


def _averaged_values(compared: ResultsTable, axis: str) -> list[Value]:
    """Return the values of the runs on a key averaged over, each once, in order."""
    found = {
        json.dumps(values[axis]): values[axis]
        for row in compared.rows
        for over, _ in row.members
        if axis in (values := _averaged(compared, over))
    }
    return sorted(found.values(), key=rank_of)


def _averaged(compared: ResultsTable, over: str) -> dict[str, Value]:
    """Return the values of a run on the keys averaged over."""
    found = zip(compared.over, json.loads(over), strict=True)
    return {key: value[0] for key, value in found if value is not None}


def _value(overrides: Mapping[str, Value], axis: str, digits: int) -> object:
    if axis not in overrides:
        return None
    value = overrides[axis]
    if is_number(value):
        return cell_of(value, digits), float(value)  # type: ignore[arg-type] # a number
    return cell_of(value, digits)


def _listed(values: Sequence[Value | Missing]) -> str:
    digits = digits_of(values)
    told = ", ".join(cell_of(value, digits) for value in values[:_MOST_VALUES])
    more = len(values) - _MOST_VALUES
    return f"{told} and {more} more" if more > 0 else told
