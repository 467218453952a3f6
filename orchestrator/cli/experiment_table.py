"""The table of experiments that ``orch status`` prints: one line each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.cli.long_tables import print_rows
from orchestrator.cli.state_colours import COLOURS
from orchestrator.execution.estimate import describe_seconds
from orchestrator.rundir.state import State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.cli.long_tables import Cell
    from orchestrator.rundir.experiments import ExperimentSummary


def print_experiments(found: Sequence[ExperimentSummary], console: Console) -> None:
    """Print one line per experiment: its runs by state, the last activity, and its folder."""
    shown = [state for state in State if any(each.states[state] for each in found)]
    now = datetime.now(UTC)
    headers = ("experiment", *(state.value for state in shown), "last activity", "folder")
    rows = []
    for each in found:
        counts: list[Cell] = [(str(each.states[state] or ""), COLOURS[state]) for state in shown]
        name = printable(each.experiment.experiment_id)
        is_executed = ", executed now" if each.is_executed else ""
        activity = f"{describe_age(each.last_activity, now)}{is_executed}"
        folder = printable(str(each.experiment.path))
        rows.append([(name, ""), *counts, (activity, "dim"), (folder, "dim")])
    print_rows(headers, rows, console)


def describe_age(moment: str | None, now: datetime) -> str:
    """Return how long ago a moment was, for people."""
    if moment is None:
        return ""
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    return f"{describe_seconds(max(seconds, 0))} ago"
