"""What the attempts of a run tell of its pauses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.rundir.pauses import RecordedPauses, read_pauses
from orchestrator.rundir.state import PAUSED, Record, Status

if TYPE_CHECKING:
    from orchestrator.rundir.directory import RunDirectory

KILLED = Status(Record.RUNNING, 1, "then", "box", 1)
ASKED = replace(KILLED, record=Record.INTERRUPTED, reason="it was asked to stop")


def paused(after: int | None) -> Status:
    return replace(KILLED, record=Record.INTERRUPTED, reason=PAUSED, paused_after=after)


@pytest.mark.parametrize(
    ("attempts", "furthest", "is_whole"),
    [
        ([], 0, True),
        ([KILLED], 0, True),
        ([paused(3)], 3, True),
        ([paused(None)], 0, True),  # of an earlier version
        ([paused(3), paused(9), KILLED], 9, True),
        ([paused(9), paused(3)], 9, True),
        ([paused(3), KILLED, paused(9)], 9, False),
        ([ASKED, paused(9)], 9, False),
    ],
)
def test_nothing_was_lost_if_all_earlier_attempts_have_paused(
    directory: RunDirectory, attempts: list[Status], furthest: int, *, is_whole: bool
) -> None:
    for at, status in enumerate(attempts, 1):
        directory.write_status(replace(status, attempt=at))
    assert read_pauses(directory, directory.observe()) == RecordedPauses(furthest, is_whole)


def test_attempt_that_is_not_recorded_may_have_been_lost(directory: RunDirectory) -> None:
    directory.write_status(replace(paused(3), attempt=2))
    assert read_pauses(directory, directory.observe()) == RecordedPauses(3, is_whole=False)
