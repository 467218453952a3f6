"""The plan: what will happen to every run, and why. ``orch run`` executes what ``orch plan`` shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from orchestrator.state import NOTHING_THERE, Observation, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.identity import Run
    from orchestrator.selection import Selection
    from orchestrator.state import RunId


class Action(Enum):
    """What happens to a run."""

    RUN = "run"
    RESUME = "resume"
    RETRY = "retry"
    WAIT = "wait"
    SKIP = "skip"


ACTIONS: Final[Mapping[State, Action]] = {
    State.PENDING: Action.RUN,
    State.RUNNING: Action.WAIT,
    State.STALE: Action.RESUME,
    State.FAILED: Action.RETRY,
    State.DONE: Action.SKIP,
}
STARTS: Final = frozenset({Action.RUN, Action.RESUME, Action.RETRY})


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one run, with the observation it rests on."""

    run: Run
    action: Action
    reason: str
    seen: Observation


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that ``orch run`` will do, in order, and what was left out of it."""

    experiment_id: str
    directory: str
    selection: Selection
    decisions: tuple[Decision, ...]

    @property
    def states(self) -> Mapping[State, int]:
        """How many runs are in each state, every state named."""
        counts = Counter(decision.seen.state for decision in self.decisions)
        return {state: counts[state] for state in State}

    def starts(self) -> tuple[Decision, ...]:
        """Return the decisions that start an attempt."""
        return tuple(decision for decision in self.decisions if decision.action in STARTS)


def make_plan(
    experiment_id: str,
    directory: str,
    selection: Selection,
    seen: Mapping[RunId, Observation],
) -> Plan:
    """Decide what happens to every run; a run that was not seen is pending."""
    decisions = tuple(decide(run, seen.get(run.run_id, NOTHING_THERE)) for run in selection.runs)
    return Plan(experiment_id, directory, selection, decisions)


def decide(run: Run, seen: Observation) -> Decision:
    """Decide what happens to one run."""
    return Decision(run, ACTIONS[seen.state], seen.reason, seen)


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
        "warnings": list(selection.warnings),
        "runs": [
            {
                "run_id": decision.run.run_id,
                "overrides": dict(decision.run.overrides),
                "state": decision.seen.state.value,
                "action": decision.action.value,
                "reason": decision.reason,
            }
            for decision in plan.decisions
        ],
    }
