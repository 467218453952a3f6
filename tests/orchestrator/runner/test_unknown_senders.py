"""Requests of senders that are gone interrupt a run, but not for ever."""

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from attempts import carry_out

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Failure, Record, State, Status
from orchestrator.runner.runner import Verdict
from orchestrator.runner.unknown_senders import ASKED_BY_UNKNOWN, judge_unknown_sender

GONE = (Record.INTERRUPTED, ASKED_BY_UNKNOWN)
OTHER = (Record.INTERRUPTED, "it was asked to stop")
FAILED = (Record.FAILED, ASKED_BY_UNKNOWN)


@pytest.mark.parametrize(
    ("before", "saved", "record"),
    [
        ([], 0, Record.INTERRUPTED),
        ([GONE], 0, Record.INTERRUPTED),
        ([GONE, GONE], 0, Record.FAILED),
        ([GONE, GONE, FAILED], 0, Record.FAILED),  # it was retried
        ([OTHER, GONE], 0, Record.INTERRUPTED),
        ([GONE, OTHER], 0, Record.INTERRUPTED),
        ([GONE, GONE, OTHER, GONE], 0, Record.INTERRUPTED),
        ([GONE, GONE], 3, Record.INTERRUPTED),  # it comes to its end
        ([(Record.RUNNING, None), GONE], 0, Record.INTERRUPTED),
    ],
)
def test_run_that_is_interrupted_so_repeatedly_has_failed(
    directory: RunDirectory,
    before: list[tuple[Record, str | None]],
    saved: int,
    record: Record,
) -> None:
    """Unless it saves something in between."""
    running = Status(Record.RUNNING, 1, "then", "box", 1, resumed_at=0)
    for number, (ended, reason) in enumerate(before, 1):
        directory.write_status(replace(running, attempt=number, record=ended, reason=reason))
    last = replace(running, attempt=len(before) + 1)
    directory.write_status(last)
    progress = f'{{"iteration": {saved}, "iterations": 9, "saved": {saved}}}'
    (directory.path / "progress.json").write_text(progress)
    ended_as = judge_unknown_sender(directory, last)
    assert ended_as.record is record
    directory.write_status(ended_as)
    seen = directory.observe()
    if record is Record.FAILED:
        assert seen.state is State.FAILED
        assert isinstance(ended_as.failure, Failure)
        assert "probably one of its own, as /bin/kill $PPID does" in seen.reason
    else:
        assert seen.state is State.STALE
        assert seen.reason.startswith("it was asked to stop by a process that is gone")


@pytest.mark.parametrize(
    ("age", "record"), [(-60, Record.INTERRUPTED), (60, Record.FAILED)], ids=["since", "before"]
)
def test_checkpoint_of_a_program_that_reports_no_progress_counts(
    directory: RunDirectory, age: int, record: Record
) -> None:
    """If it was written since the first of these attempts began."""
    now = datetime.now(UTC)
    running = Status(Record.RUNNING, 1, now.isoformat(), "box", 1)
    for number in (1, 2):
        ended = replace(running, attempt=number, record=Record.INTERRUPTED, reason=ASKED_BY_UNKNOWN)
        directory.write_status(ended)
    last = replace(running, attempt=3)
    directory.write_status(last)
    checkpoint = directory.path / "ckpt.txt"
    checkpoint.write_text("49")
    os.utime(checkpoint, (now.timestamp() - age,) * 2)
    assert judge_unknown_sender(directory, last).record is record


def test_program_with_a_short_lived_kill_fails_in_the_end(directory: RunDirectory) -> None:
    """Whether the process that sent the signal could be looked up or not."""
    script = "sh -c 'kill $0' $PPID; exec sleep 999"
    verdicts = []
    while len(verdicts) < 3 and Verdict.FAILED not in verdicts:
        verdicts.append(carry_out(directory, "sh", "-c", script, attempt=len(verdicts) + 1))
    assert verdicts[-1] is Verdict.FAILED
