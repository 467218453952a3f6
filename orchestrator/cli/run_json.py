"""The JSON of a run, as several commands print it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.planning.plan_json import standing_as_json
from orchestrator.rundir.state import State, Status, fill_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.execution.live_usage import LiveResources
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.rung_decisions import Standing
    from orchestrator.rundir.experiments import ExperimentSummary
    from orchestrator.rundir.run_summary import Report


def report_as_json(report: Report) -> dict[str, object]:
    """Return a run as ``orch status --json`` prints it; a contract."""
    seen = report.seen
    recorded = seen.status if isinstance(seen.status, Status) else None
    saved = report.progress
    return {
        "run_id": report.run_id,
        "overrides": dict(report.overrides),
        "given": dict(report.given),
        "state": seen.state.value,
        "reason": seen.reason,
        "attempt": seen.attempts,
        "iteration": saved.iteration if saved else None,
        "iterations": saved.iterations if saved else None,
        "metrics": dict(report.outcome.metrics),
        "started_at": recorded.started_at if recorded else None,
        "ended_at": recorded.ended_at if recorded else None,
        "note": report.note.text or None,
        "tags": dict(report.note.tags),
    }


def status_as_json(
    report: Report,
    used: LiveResources,
    *,
    in_grid: bool | None,
    standing: Standing | None = None,
) -> dict[str, object]:
    """Return a run as a row of ``orch status --json``; a contract."""
    return {
        **report_as_json(report),
        "reason": reason_of(report, standing),
        "halving": standing_as_json(standing),
        "in_grid": in_grid,
        "slot": used.slot,
        "gpu": used.gpu,
        "memory": used.memory,
        "gpu_memory": used.gpu_memory,
        "seconds_left": used.seconds_left and round(used.seconds_left, 1),
    }


def reason_of(report: Report, standing: Standing | None) -> str:
    """Return why a run is in its state, with its place among those that it is compared with."""
    seen = report.seen
    if standing is None:
        return seen.reason
    return standing.explain(seen.reason, is_over=seen.state in (State.DONE, State.FAILED))


def summary_as_json(summary: ExperimentSummary) -> dict[str, object]:
    """Return an experiment as ``orch status --json`` lists it; a contract."""
    return {
        "experiment_id": summary.experiment.experiment_id,
        "directory": str(summary.experiment.path),
        "states": states_as_json(summary.states),
        "executed": summary.is_executed,
        "last_activity": summary.last_activity,
    }


def states_as_json(states: Mapping[State, int]) -> dict[str, int]:
    """Return the number of runs in each state, for all states."""
    return {state.value: count for state, count in fill_counts(states).items()}


def removals_as_json(
    reports: Sequence[Report], kept: Mapping[RunId, str], *, removed: bool
) -> list[dict[str, object]]:
    """Return the runs that ``orch prune`` and ``orch rm`` remove, as their ``--json`` prints them.

    Args:
        reports: The runs.
        kept: Those that were kept, and why.
        removed: Whether the others were removed, and not only shown.
    """
    return [
        {
            "run_id": report.run_id,
            "overrides": dict(report.overrides),
            "state": report.seen.state.value,
            "removed": removed and report.run_id not in kept,
            "why_not": kept.get(report.run_id),
        }
        for report in reports
    ]
