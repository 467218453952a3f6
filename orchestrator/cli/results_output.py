"""The table of results on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.results_formats import (
    TO_THE_BEST,
    is_of_single_runs,
    shown_cell,
    shown_difference,
    shown_runs,
)
from orchestrator.cli.table_columns import (
    NOTE_WIDTH,
    first_column,
    fit_axes,
    fit_columns,
    new_table,
    print_table,
)
from orchestrator.cli.tables import count_of, note, tell_left_out
from orchestrator.grid.identity import SHORT_ID_DIGITS, short
from orchestrator.planning.metric_direction import Direction
from orchestrator.rundir.metric_names import BEST
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.planning.paired_difference import PairedDifference
    from orchestrator.planning.results_table import ResultsTable


def print_comparison(
    compared: ResultsTable,
    differences: Sequence[PairedDifference | None] | None,
    console: Console,
    *,
    step: int | None = None,
) -> None:
    """Print one row per group of runs that differ only in the keys averaged over.

    Args:
        compared: The table.
        differences: The difference of each row to the best one; None: not asked for.
        console: The console.
        step: The iteration of the metrics; None: the end.
    """
    texts = _texts_of_metrics(compared)
    counts = shown_runs(compared)
    single = is_of_single_runs(compared)
    told = [shown_difference(each) for each in differences or ()]
    taken = max(map(len, ("state", *counts))) + (2 + SHORT_ID_DIGITS if single else 0)
    taken += 2 + max(map(len, (TO_THE_BEST, *told))) if told else 0
    notes = _notes_of(compared) if single else []
    taken += NOTE_WIDTH if notes else 0
    all_axes = [row.overrides for row in compared.rows]
    fitted = fit_axes(all_axes, compared.axes, taken + first_column(texts, console), console)
    metrics = fit_columns(texts, taken + fitted.width, console)
    table = new_table(
        *(["run"] if single else []),
        *fitted.headers,
        "state" if single else "runs",
        *metrics,
        *([TO_THE_BEST] if told else []),
        *(["note"] if notes else []),
    )
    for place, row in enumerate(compared.rows):
        style = "" if row.runs == row.with_results else "yellow"
        table.add_row(
            *([short(row.members[0][1].run_id)] if single else []),
            *fitted.cells_of(row.overrides),
            Text(counts[place], style=style),
            *(shown_cell(row.cells.get(metric)) for metric in metrics),
            *told[place : place + 1],
            *notes[place : place + 1],
        )
    print_table(table, console)
    tell_left_out(fitted.left_out, len(texts) - len(metrics), console)
    _print_notes(compared, console, differences, step=step)


def _texts_of_metrics(compared: ResultsTable) -> dict[str, list[str]]:
    """Return the cells of each metric."""
    return {
        key: [shown_cell(row.cells[key]) for row in compared.rows if key in row.cells]
        for key in compared.metrics
    }


def _notes_of(compared: ResultsTable) -> list[Text]:
    """Return what is noted of single runs; an empty list if nothing is."""
    notes = [note(str(row.members[0][1].note)) for row in compared.rows]
    return notes if any(notes) else []


def iterations_of(compared: ResultsTable, step: int | None) -> str:
    """Return which iterations the metrics are of; empty if all are of the last one."""
    if step is not None:
        return f"all metrics are those of iteration {step}"
    if any(metric.startswith(BEST) for metric in compared.metrics):
        return f"{BEST}... and test/... are of the best iteration, all others of the last one"
    return ""


def _print_notes(
    compared: ResultsTable,
    console: Console,
    differences: Sequence[PairedDifference | None] | None,
    *,
    step: int | None,
) -> None:
    """Print what the numbers are: of which iteration, averaged over what, in which order."""
    parts = [f"mean ± standard deviation over {', '.join(compared.over)}"] if compared.over else []
    console.print(note(", ".join([*parts, order_of(compared, step)])))
    if told := iterations_of(compared, step):
        console.print(note(told))
    if differences:
        by = ", ".join(compared.over) or "seed"
        console.print(
            note(f"{TO_THE_BEST}: paired by {by}, ± half of the 95 % confidence interval")
        )
        if any(each and each.pairs < each.common for each in differences):
            told = "2 of 3: of the pairs, the others have a value that is NaN or infinite"
            console.print(note(told))
    if mixed := sum(len(row.versions) > 1 for row in compared.rows):
        told = f"{count_of(mixed, 'row')} of runs whose trainers compute different numbers"
        console.print(Text(f"{told}; --json shows which", style="yellow"))
    if refused := [run for row in compared.rows for _, run in row.members if run.refused]:
        first, *others = refused
        told = f"{' and '.join(first.refused)} of run {short(first.run_id)}"
        told += f", and files of {count_of(len(others), 'other run')}," if others else ""
        console.print(Text(f"{told} cannot be read, so values are missing", style="yellow"))


def _are_done(compared: ResultsTable) -> bool:
    states = {state for row in compared.rows for state in row.states}
    return states == {State.DONE}


def order_of(compared: ResultsTable, step: int | None = None) -> str:
    """Return a description of the order of the rows, or why there are no results.

    Args:
        compared: The table.
        step: The iteration of the metrics; None: the end.
    """
    if not compared.sorted_by:
        if not compared.metrics:
            if step is None and _are_done(compared):
                return "the runs are done and report no metrics: see docs/bring-your-own-program.md"
            return "no run has results yet"
        return "in the order of the grid: --sort METRIC sorts by a metric of the test set"
    least = compared.direction is Direction.LESS
    order = f"{'smallest' if least else 'largest'} {compared.sorted_by} first"
    if compared.direction is Direction.UNKNOWN:
        return f"{order}: its name does not tell whether less or more is better"
    return order
