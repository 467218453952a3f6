"""The table of experiments that ``orch status`` prints: one line each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.cli.fast_tables import Column, print_columns
from orchestrator.cli.state_colours import COLOURS
from orchestrator.execution.remaining_time import describe_seconds
from orchestrator.rundir.state import State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.rundir.experiments import ExperimentSummary


def print_experiments(found: Sequence[ExperimentSummary], console: Console) -> None:
    """Print one line per experiment: its runs by state, the last activity, and its folder."""
    shown = [state for state in State if any(each.states[state] for each in found)]
    now = datetime.now(UTC)
    columns = [
        Column("experiment", [printable(each.experiment.experiment_id) for each in found]),
        *(
            Column(it.value, [str(each.states[it] or "") for each in found], COLOURS[it])
            for it in shown
        ),
        Column("last activity", [_activity(each, now) for each in found], "dim"),
        Column("folder", [printable(str(each.experiment.path)) for each in found], "dim"),
    ]
    print_columns(columns, console)


def _activity(summary: ExperimentSummary, now: datetime) -> str:
    if summary.problem:
        return "cannot be read"
    is_executed = ", executed now" if summary.is_executed else ""
    return f"{describe_age(summary.last_activity, now)}{is_executed}"


def describe_age(moment: str | None, now: datetime) -> str:
    """Return how long ago a moment was, for people."""
    if moment is None:
        return ""
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    return f"{describe_seconds(max(seconds, 0))} ago"
