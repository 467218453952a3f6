"""Tests of orchestrator.rundir.state."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.rundir.state import (
    NOTHING_THERE,
    Failure,
    Observation,
    Progress,
    Record,
    State,
    Status,
    Unreadable,
    explain,
    judge,
)

STARTED = "2026-01-01T00:00:00.000+00:00"
# The table of the run directory's contract, row by row.
TABLE = [
    (None, False, State.PENDING),
    (Record.DONE, False, State.DONE),
    (Record.DONE, True, State.DONE),
    (None, True, State.RUNNING),
    (Record.RUNNING, True, State.RUNNING),
    (Record.INTERRUPTED, True, State.RUNNING),
    (Record.FAILED, True, State.RUNNING),
    ("unreadable", True, State.RUNNING),
    (Record.RUNNING, False, State.STALE),
    (Record.INTERRUPTED, False, State.STALE),
    ("unreadable", False, State.STALE),
    (Record.FAILED, False, State.FAILED),
]


def _status(record: Any, failure: Any = None) -> Any:
    if record is None:
        return None
    if record == "unreadable":
        return Unreadable("it is not a complete status")
    return Status(record, attempt=1, started_at=STARTED, host="box", pid=1, failure=failure)


@pytest.mark.parametrize(("record", "locked", "state"), TABLE)
def test_state_follows_from_the_status_and_the_lock(record: Any, locked: Any, state: Any) -> None:
    """Every row of the contract's table holds."""
    assert judge(_status(record), locked=locked) is state


def test_table_names_every_combination_of_the_two_facts() -> None:
    """No combination of status and lock is left undecided."""
    facts = set(itertools.product([None, "unreadable", *Record], [False, True]))
    assert {(record, locked) for record, locked, _ in TABLE} == facts


def test_nothing_there_is_a_pending_run() -> None:
    """A run without a directory is pending, and its reason says why."""
    assert NOTHING_THERE.state is State.PENDING
    assert NOTHING_THERE.reason == "it has not run yet"


@pytest.mark.parametrize(
    ("progress", "complete", "early"),
    [
        (Progress(3, 10, {}), False, None),
        (Progress(10, 10, {}), True, None),
        (
            Progress(3, 10, {}, stopped_early="why"),
            True,
            "stopped early after 3 of 10 iterations: why",
        ),
    ],
)
def test_progress_says_whether_it_is_the_end(
    progress: Progress, early: str | None, *, complete: bool
) -> None:
    """A program may end before its last iteration."""
    assert (progress.is_complete, progress.early_end) == (complete, early)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Observation(_status(Record.DONE), attempts=1), "it has finished"),
        (
            Observation(
                replace(_status(Record.DONE), reason="stopped early after 3 of 10 iterations: why")
            ),
            "stopped early after 3 of 10 iterations: why",
        ),
        (
            Observation(
                *(_status(Record.RUNNING), False, 1, Progress(3, 10, {}, resumes=True)),
                checkpoint="a.pt",
            ),
            "its process is gone, 3 of 10 iterations are saved",
        ),
        (
            Observation(_status(Record.RUNNING), attempts=1, progress=Progress(3, 10, {})),
            "its process is gone, progress 3 of 10, restarts from the beginning",
        ),
        (
            Observation(_status(Record.RUNNING), True, 1, Progress(3, 10, {})),
            "its process lives, progress 3 of 10, nothing is saved",
        ),
        (
            Observation(_status(Record.INTERRUPTED), attempts=1),
            "it was asked to stop, nothing is saved yet",
        ),
        (
            Observation(_status("unreadable"), attempts=1),
            "its status cannot be read (it is not a complete status), nothing is saved yet",
        ),
        (
            Observation(_status(Record.RUNNING), locked=True, attempts=1),
            "its process lives, nothing is saved yet",
        ),
        (
            Observation(_status(Record.FAILED, Failure("exit", "code 3")), attempts=2),
            "attempt 2 failed, exit: code 3",
        ),
        (
            Observation(_status(Record.FAILED), attempts=1),
            "attempt 1 failed, no cause was recorded",
        ),
    ],
)
def test_reason_tells_why_a_run_is_in_its_state(seen: Any, reason: Any) -> None:
    """The reason names what was seen, in one clause."""
    assert explain(seen) == reason
    assert seen.reason == reason


@pytest.mark.parametrize(
    ("lost", "resumed_at", "saved", "job", "state"),
    [
        (0, 0, 0, "7", State.STALE),
        (1, 0, 0, "7", State.STALE),
        (2, 0, 0, "7", State.FAILED),
        (9, 4, 4, "7", State.FAILED),
        (2, None, 0, "7", State.FAILED),
        (9, 4, 5, "7", State.STALE),  # it saves something each time, so it comes to its end
        (9, 0, 0, None, State.STALE),  # no job: it was not a cluster that ended it
    ],
)
def test_run_that_its_jobs_take_with_them_repeatedly_has_failed(
    lost: Any, resumed_at: Any, saved: Any, job: Any, state: Any
) -> None:
    status = replace(_status(Record.RUNNING), lost=lost, resumed_at=resumed_at, job=job, node="n2")
    seen = Observation(status, attempts=1, progress=Progress(saved, 9, {}, saved))
    assert seen.state is state
    assert (seen.failure is None) == (state is State.STALE)


def test_loss_is_explained_like_any_failure() -> None:
    status = replace(_status(Record.RUNNING), lost=2, job="7", node="n2")
    assert Observation(status, attempts=5).reason == (
        "attempt 5 failed, killed: 3 times in a row its job ended without a record before the run had"
        " saved anything, the last time job 7 on node n2. It may need more memory than the job has"
    )


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"locked": True}, State.RUNNING),
        ({"survivors": (1,)}, State.RUNNING),
        ({"unreachable": "n2"}, State.UNPROVEN),
        ({}, State.FAILED),
    ],
)
def test_live_run_has_not_failed_however_often_it_was_lost(changes: Any, state: Any) -> None:
    status = replace(_status(Record.RUNNING), lost=5, job="7")
    assert replace(Observation(status), **changes).state is state
