"""The JSON of a plan, as ``orch plan --json`` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.grid.extension import Extension
    from orchestrator.planning.plan import Plan
    from orchestrator.planning.rung_decisions import Standing


def plan_as_json(plan: Plan) -> dict[str, object]:
    """Return the plan as ``orch plan --json`` prints it; a contract."""
    selection = plan.selection
    return {
        "schema": 1,
        "experiment_id": plan.experiment_id,
        "directory": plan.directory,
        "points": selection.points,
        "duplicates": selection.duplicates,
        "states": {state.value: count for state, count in plan.states.items()},
        "filters": [
            {"filter": item.filter, "excluded": item.excluded} for item in selection.filters
        ],
        "grids": [
            {
                "points": grid.points,
                "runs": grid.runs,
                "duplicates": grid.duplicates,
                "excluded": [item.excluded for item in grid.filters],
            }
            for grid in selection.grids
        ],
        "warnings": list(selection.warnings),
        "repeats": [
            {"axes": list(axes), "duplicates": count} for axes, count in selection.repeats.items()
        ],
        "runs": [
            {
                "run_id": decision.run.run_id,
                "overrides": dict(decision.run.overrides),
                "state": decision.seen.state.value,
                "action": decision.action.value,
                "reason": decision.reason,
                "extends": _extends_as_json(decision.extension),
                "halving": standing_as_json(decision.standing),
            }
            for decision in plan.decisions
        ],
    }


def _extends_as_json(extension: Extension | None) -> dict[str, object] | None:
    """Return the run that a run extends; None if it begins from nothing."""
    if extension is None or not extension.is_possible:
        return None
    return {"run_id": extension.run_id, "iteration": extension.iteration}


def standing_as_json(standing: Standing | None) -> dict[str, object] | None:
    """Return where a run stands among those that it is compared with; None if it is not compared."""
    if standing is None:
        return None
    return {
        "verdict": standing.verdict.value,
        "stop_after": standing.stop_after,
        "rung": standing.rung,
        "place": standing.place or None,
        "of": standing.of or None,
    }
