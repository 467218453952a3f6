"""Tests of orchestrator.planning.plan."""

from typing import Any

import pytest

from orchestrator.errors import FilterError
from orchestrator.grid.axes import Axis
from orchestrator.grid.config_template import ConfigTemplate
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.grid.identity import identify
from orchestrator.grid.point_selection import select_runs
from orchestrator.grid.points import Points
from orchestrator.planning.plan import STARTS, Action, decide, make_plan, restrict
from orchestrator.planning.plan_json import plan_as_json
from orchestrator.rundir.state import (
    NOTHING_THERE,
    Failure,
    Observation,
    Progress,
    Record,
    State,
    Status,
    Unreadable,
)


def _status(record: Any, failure: Any = None) -> Any:
    return Status(record, 1, "2026-01-01T00:00:00.000+00:00", "box", 1, failure=failure)


SEEN = {
    State.PENDING: NOTHING_THERE,
    State.RUNNING: Observation(_status(Record.RUNNING), locked=True, attempts=1),
    State.UNPROVEN: Observation(_status(Record.RUNNING), attempts=1, unreachable="node7"),
    State.STALE: Observation(
        _status(Record.RUNNING), attempts=1, progress=Progress(3, 10, {"loss": 0.5})
    ),
    State.FAILED: Observation(_status(Record.FAILED, Failure("exit", "code 3")), attempts=1),
    State.DONE: Observation(_status(Record.DONE), attempts=1),
}
ACTIONS = {
    State.PENDING: Action.RUN,
    State.RUNNING: Action.WAIT,
    State.UNPROVEN: Action.WAIT,
    State.STALE: Action.RESUME,
    State.FAILED: Action.RETRY,
    State.DONE: Action.SKIP,
}


def _selection(count: int = 6, only: str | None = None) -> Any:
    axes = [Axis("seed", tuple(range(count)))]
    templates = [ConfigTemplate({}, {}, None)]
    condition = parse_condition(only) if only else None
    return select_runs(
        Points(axes), templates, lambda point: dict(point.values), [], only=condition
    )


def _plan(only: str | None = None) -> Any:
    """Return a plan with a run in each state, in the order of the states."""
    selection = _selection(only=only)
    seen = {run.run_id: SEEN[state] for run, state in zip(selection.runs, State, strict=True)}
    return make_plan("digits", "results/digits/training", selection, seen)


@pytest.mark.parametrize("state", State)
def test_action_follows_from_the_state_and_carries_its_reason(state: Any) -> None:
    """Every state has one action; the reason is the observation's."""
    run = identify({"seed": 0}, {"seed": 0})
    decision = decide(run, SEEN[state])
    assert (decision.run, decision.action) == (run, ACTIONS[state])
    assert decision.seen is SEEN[state]
    assert decision.reason == SEEN[state].reason


def test_unreadable_status_is_resumed() -> None:
    """What cannot be read does not make a run be started from scratch."""
    seen = Observation(Unreadable("torn"), attempts=2)
    assert decide(identify({}, {}), seen).action is Action.RESUME


def test_plan_keeps_the_order_of_the_runs_and_counts_every_state() -> None:
    """Decisions stand in the order of the points."""
    plan = _plan()
    assert [decision.run.run_id for decision in plan.decisions] == [
        run.run_id for run in plan.selection.runs
    ]
    assert dict(plan.states) == dict.fromkeys(State, 1)


def test_only_run_resume_and_retry_start_something() -> None:
    """Finished and living runs are left alone."""
    assert {decision.action for decision in _plan().starts()} == STARTS


def test_run_that_was_not_seen_is_pending() -> None:
    """A run without a directory starts."""
    selection = _selection(2)
    plan = make_plan("digits", "d", selection, {})
    assert dict(plan.states) == {
        **dict.fromkeys(set(State) - {State.UNPROVEN}, 0),
        State.PENDING: 2,
    }
    assert len(plan.starts()) == 2


def test_json_shows_every_run_with_state_action_and_reason() -> None:
    """Scripts see the same decisions as people, in the same order."""
    plan = _plan()
    rows = plan_as_json(plan)["runs"]
    assert rows == [
        {
            "run_id": decision.run.run_id,
            "overrides": {"seed": decision.run.overrides["seed"]},
            "state": decision.seen.state.value,
            "action": decision.action.value,
            "reason": decision.reason,
            "extends": None,
            "halving": None,
        }
        for decision in plan.decisions
    ]
    assert [row["action"] for row in rows] == ["run", "wait", "wait", "resume", "retry", "skip"]


def test_plan_can_be_restricted_to_the_runs_that_meet_a_condition() -> None:
    """What was seen of a run stays with it; the selection still tells of the whole grid."""
    plan = _plan("seed >= 4")
    part = restrict(plan, "seed >= 4")
    assert [item.action for item in part.decisions] == [Action.RETRY, Action.SKIP]
    assert part.selection == plan.selection
    assert part.only == "seed >= 4"


def test_key_that_no_run_has_is_probably_misspelt() -> None:
    """Nothing is chosen by it, which would look like a grid that is done."""
    with pytest.raises(FilterError, match=r"no run has the key 'sede'. Did you mean seed\?"):
        _plan("sede >= 3 | seed == 0")


def test_condition_that_no_run_meets_is_refused() -> None:
    """Nothing to do would look like a grid that is done."""
    with pytest.raises(FilterError, match=r"--only 'seed > 9': none of the 6 runs meets it"):
        restrict(_plan("seed > 9"), "seed > 9")


def test_decisions_count_from_either_end_and_end_where_they_end() -> None:
    """As every sequence does."""
    decisions = _plan().decisions
    assert decisions[-len(decisions)] == decisions[0]
    assert decisions[-1] == decisions[len(decisions) - 1]
    for beyond in (len(decisions), -len(decisions) - 1):
        with pytest.raises(IndexError):
            decisions[beyond]


def test_runs_that_others_execute_are_waited_for() -> None:
    """They are found without deciding on all the others."""
    assert [decision.seen.state for decision in _plan().waits()] == [State.RUNNING]
