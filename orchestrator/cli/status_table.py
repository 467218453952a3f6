"""The table of ``orch status``: one line per run, and the number of runs in each state."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from orchestrator.cli.fast_tables import Column, print_columns
from orchestrator.cli.run_json import reason_of
from orchestrator.cli.state_colours import COLOURS
from orchestrator.cli.table_columns import (
    NOTE_WIDTH,
    first_column,
    fit_axes,
    fit_columns,
    keys_of,
    metric_cell,
)
from orchestrator.cli.tables import states_line, tell_left_out
from orchestrator.execution.remaining_time import describe_seconds
from orchestrator.grid.identity import SHORT_ID_DIGITS, RunId, short
from orchestrator.rundir.state import FINISHED, State, fill_counts
from orchestrator.rundir.state_words import word_of
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from orchestrator.execution.live_usage import LiveResources
    from orchestrator.planning.rung_decisions import Standing
    from orchestrator.rundir.run_summary import Report

_STATE: Final = 22  # the columns state and iteration
_STATE_AND_WHY: Final = 44
_OF_THE_REASON: Final = 10  # which it need not have
_PREFIXES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_KIB: Final = 1024


def print_status(  # noqa: PLR0913 # all that a table consists of
    reports: Sequence[Report],
    console: Console,
    *,
    counts: Mapping[State, int] | None = None,
    paused: int | None = None,
    total: int | None = None,
    live: Mapping[RunId, LiveResources] | None = None,
    standings: Mapping[RunId, Standing] | None = None,
) -> None:
    """Print one line per run, and the number of runs in each state.

    Args:
        reports: The runs to list.
        console: The console.
        counts: The number of runs in each state, if it is not that of the reports.
        paused: How many of the stale ones have paused, likewise.
        total: The number of runs from which these were chosen because they are many, if they were.
        live: What live runs use.
        standings: Where runs stand that are compared while they are trained.
    """
    if reports:
        _print_runs(reports, console, live or {}, standings or {})
    if total is not None and len(reports) < total:
        those = f"{len(reports)} of {total} runs are shown" if reports else f"{total} runs"
        console.print(f"{those}; --all lists them.")
    if counts is None:
        counts = Counter(report.seen.state for report in reports)
    if paused is None:
        paused = sum(report.seen.is_paused for report in reports)
    console.print(states_line(fill_counts(counts), paused))


def _print_runs(
    shown: Sequence[Report],
    console: Console,
    live: Mapping[RunId, LiveResources],
    standings: Mapping[RunId, Standing],
) -> None:
    axes = keys_of(report.overrides for report in shown)
    over = all(report.seen.reason == FINISHED for report in shown)
    saved_metrics = [report.outcome.metrics for report in shown]
    all_metrics = keys_of(saved_metrics)
    cells = {
        key: [metric_cell(found[key]) if key in found else "" for found in saved_metrics]
        for key in all_metrics
    }
    noted, unseen = any(report.note for report in shown), 0
    taken = SHORT_ID_DIGITS + (_STATE if over else _STATE_AND_WHY) + (NOTE_WIDTH if noted else 0)
    all_axes = [report.overrides for report in shown]
    spare = 0 if over else _OF_THE_REASON
    fitted = fit_axes(all_axes, axes, taken + first_column(cells, console), console, spare=spare)
    if fitted.left_out:  # an axis tells more than a metric
        fitted = fit_axes(all_axes, axes, taken, console, spare=spare)
    if fitted.left_out and noted:  # and than a note
        noted, unseen = False, sum(bool(report.note) for report in shown)
        taken -= NOTE_WIDTH
        fitted = fit_axes(all_axes, axes, taken, console, spare=spare)
    metrics = fit_columns(cells, taken + fitted.width, console)
    if not metrics:  # the first one tells more than the end of a reason
        metrics = fit_columns(cells, taken - spare + fitted.width, console)[:1]
    states = [report.seen.state for report in shown]
    columns = [
        Column("run", [short(report.run_id) for report in shown]),
        *(
            Column(header, fitted.texts_of(axis, all_axes))
            for header, axis in zip(fitted.headers, fitted.widths, strict=True)
        ),
        Column("state", [word_of(it.seen) for it in shown], [COLOURS[it] for it in states]),
        Column("iteration", [iteration_of(report) for report in shown]),
        *(Column(key, cells[key]) for key in metrics),
    ]
    if noted:
        columns.append(Column("note", [str(report.note) for report in shown]))
    if not over:
        why = [_why(it, live.get(it.run_id), standings.get(it.run_id)) for it in shown]
        columns.append(Column("why", why, "dim"))
    print_columns(columns, console)
    tell_left_out(fitted.left_out, len(all_metrics) - len(metrics), console, unseen)


def iteration_of(report: Report) -> str:
    """Return how far a run is: of how many iterations, or else the last step that it has logged."""
    progress, step = report.progress, report.outcome.last_step
    if progress:
        return f"{progress.iteration}/{progress.iterations}"
    return "" if step is None else str(step)


def _why(report: Report, live: LiveResources | None, standing: Standing | None) -> str:
    """Return why a run is in its state; that it has finished, its state says."""
    used = describe_live(live) if live else ""
    told = used or reason_of(report, standing)
    return "" if told == FINISHED else printable(told)


def describe_live(used: LiveResources) -> str:
    """Return what a live run uses, and how long it still takes, as far as it is known."""
    parts = [] if used.slot is None else [f"slot {used.slot}"]
    parts += [] if used.gpu is None else [f"GPU {used.gpu}"]
    memory = used.memory if used.gpu_memory is None else used.gpu_memory
    parts += [] if memory is None else [describe_bytes(memory)]
    parts += [] if used.seconds_left is None else [f"{describe_seconds(used.seconds_left)} left"]
    return ", ".join(parts)


def describe_bytes(size: float) -> str:
    """Format a size for people: ``512 MiB``, ``1.5 GiB``."""
    for prefix in _PREFIXES:
        if size < _KIB or prefix == _PREFIXES[-1]:
            break
        size /= _KIB
    return f"{size:.3g} {prefix}" if size < _KIB - 1 else f"{size:.0f} {prefix}"
