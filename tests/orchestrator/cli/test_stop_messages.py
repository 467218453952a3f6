"""A request to stop says what happens to the runs, and which of them lose what they did."""

import pytest

from orchestrator.cli.stop_messages import describe_asked, describe_stopping, what_happens
from orchestrator.execution.events import Stopping
from orchestrator.execution.stop_requests import StopLevel


@pytest.mark.parametrize(
    ("live", "unsaved", "text"),
    [
        (1, 0, "1 run ends at its next checkpoint"),
        (2, 0, "2 runs end at their next checkpoint"),
        (
            1,
            1,
            (
                "1 run is asked to stop; it has saved nothing and restarts from the beginning,"
                " unless it saves now"
            ),
        ),
        (
            2,
            2,
            (
                "2 runs are asked to stop; they have saved nothing and restart from the beginning,"
                " unless they save now"
            ),
        ),
        (
            3,
            1,
            (
                "3 runs are asked to stop; 1 of them has saved nothing and restarts from the beginning,"
                " unless it saves now"
            ),
        ),
        (
            3,
            2,
            (
                "3 runs are asked to stop; 2 of them have saved nothing and restart from the beginning,"
                " unless they save now"
            ),
        ),
    ],
)
def test_runs_that_have_saved_nothing_are_told(live: int, unsaved: int, text: str) -> None:
    assert what_happens(live, unsaved) == text
    event = Stopping(live, at_once=False, unsaved=unsaved)
    assert describe_stopping(event) == f"stopping: {text} (again: end them at once)"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Stopping(1, at_once=True), "ending 1 run at once"),
        (Stopping(0, at_once=False), "stopping: no run is being executed, and nothing more starts"),
        (
            Stopping(0, at_once=False, reason="out of time"),
            "out of time: no run is being executed, and nothing more starts",
        ),
        (
            Stopping(2, at_once=False, drain=True),
            "draining: 2 runs end as usual, nothing more starts (again: ask them to stop)",
        ),
    ],
)
def test_request_says_what_asking_again_does(event: Stopping, text: str) -> None:
    assert describe_stopping(event) == text


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (StopLevel.DRAIN, "1 run ends as usual"),
        (StopLevel.AT_CHECKPOINT, "1 run ends at its next checkpoint"),
        (StopLevel.AT_ONCE, "1 run is killed"),
    ],
)
def test_orch_stop_says_what_it_asked_for(level: StopLevel, text: str) -> None:
    told = describe_asked("digits", level, 1, 0, is_executed=True)
    assert told == f"Asked every orch run of digits to stop: {text}. Nothing more starts."


@pytest.mark.parametrize(
    ("level", "live", "text"),
    [
        (StopLevel.DRAIN, 0, "No orch run executes digits: nothing was asked to stop."),
        (StopLevel.AT_ONCE, 0, "No orch run executes digits: nothing was asked to stop."),
        (
            StopLevel.DRAIN,
            2,
            "No orch run executes digits: 2 runs end as usual, and nothing more starts.",
        ),
        (
            StopLevel.AT_CHECKPOINT,
            1,
            (
                "Asked what is left of an orch run of digits to stop: within seconds 1 run ends at its"
                " next checkpoint."
            ),
        ),
        (
            StopLevel.AT_ONCE,
            2,
            "Asked what is left of an orch run of digits to stop: within seconds 2 runs are killed.",
        ),
    ],
)
def test_orch_stop_says_what_it_asked_where_no_orch_run_is_left(
    level: StopLevel, live: int, text: str
) -> None:
    assert describe_asked("digits", level, live, 0, is_executed=False) == text
