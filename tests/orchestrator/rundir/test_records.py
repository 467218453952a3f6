"""Records survive the way through JSON, and damaged ones are told from whole ones."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rundir.records import dump_status, duration_of, parse_progress, parse_status
from orchestrator.rundir.state import Failure, Progress, Record, Status, Unreadable

STATUS = Status(
    record=Record.FAILED,
    attempt=3,
    started_at="2026-01-01T00:00:00.000+00:00",
    host="box",
    pid=12,
    ended_at="2026-01-01T00:00:01.000+00:00",
    exit_code=1,
    failure=Failure("error", "ValueError: lr"),
    reason="why not",
    code="0123456789abcdef",
    slot=3,
    gpu="GPU-0",
    resumed_at=2,
    lost=1,
    seconds=2.5,
)


def test_status_comes_back_as_it_was_written() -> None:
    """Reading what was written gives the same value."""
    assert parse_status(dump_status(STATUS)) == STATUS


def test_status_has_the_fields_of_the_contract() -> None:
    """The names in the file are those that scripts depend on."""
    assert list(json.loads(dump_status(STATUS))) == [
        "schema",
        "state",
        "attempt",
        "started_at",
        "ended_at",
        "host",
        "pid",
        "exit_code",
        "error",
        "reason",
        "code",
        "slot",
        "gpu",
        "resumed_at",
        "boot_id",
        "node",
        "job",
        "gpu_memory",
        "lost",
        "paused_after",
        "seconds",
    ]


def test_status_cut_at_any_byte_is_unreadable() -> None:
    """A torn status is never taken for a whole one."""
    content = dump_status(STATUS).rstrip()
    for end in range(len(content)):
        assert isinstance(parse_status(content[:end]), Unreadable)


@given(st.binary())
def test_garbage_is_unreadable_and_never_an_error(content: bytes) -> None:
    """Whatever stands in the file, reading it gives an answer."""
    assert isinstance(parse_status(content), Unreadable)


@pytest.mark.parametrize("number", [2**64, -(10**100), True, 1.5, "1"])
def test_number_that_no_process_has_is_not_read(number: object) -> None:
    """An exit code of a thousand digits filled the screen."""
    written = {**json.loads(dump_status(STATUS)), "exit_code": number}
    read = parse_status(json.dumps(written).encode())
    assert isinstance(read, Status)
    assert read.exit_code is None
    assert isinstance(parse_status(json.dumps({**written, "pid": number}).encode()), Unreadable)


@pytest.mark.parametrize("seconds", [-1, 2**64, True, "1", None, [], "NaN"])
def test_duration_that_nothing_has_is_not_read(seconds: object) -> None:
    written = {**json.loads(dump_status(STATUS)), "seconds": seconds}
    read = parse_status(json.dumps(written).encode())
    assert isinstance(read, Status)
    assert read.seconds is None


BEGAN, LATER = "2026-11-29T10:00:00.000+00:00", "2026-11-29T10:01:30.500+00:00"


@pytest.mark.parametrize(
    ("began", "ended", "seconds", "duration"),
    [
        (BEGAN, LATER, None, 90.5),
        (BEGAN, LATER, 9.5, 9.5),
        (LATER, BEGAN, 9.5, 9.5),
        (LATER, BEGAN, None, 0.0),  # the clock was put back
        (BEGAN, None, None, None),
        ("then", LATER, None, None),
        (BEGAN, "2026-11-29T10:00:00", None, None),  # without a time zone
    ],
)
def test_duration_is_what_was_measured_or_follows_from_the_moments(
    began: str, ended: str | None, seconds: float | None, duration: float | None
) -> None:
    status = Status(Record.DONE, 1, began, "box", 1, ended_at=ended, seconds=seconds)
    assert duration_of(status) == duration


def test_schema_is_told_briefly() -> None:
    """It may be a number of any length."""
    found = parse_status(b'{"schema": %s}' % (b"9" * 4000))
    assert isinstance(found, Unreadable)
    assert len(found.why) < 200


def test_status_from_the_future_says_so() -> None:
    """A newer schema is not guessed at."""
    found = parse_status(dump_status(STATUS).replace(b'"schema": 1', b'"schema": 2'))
    assert isinstance(found, Unreadable)
    assert "newer version" in found.why


def test_progress_keeps_numbers_and_texts_only() -> None:
    """A metric that is NaN is a string in JSON; other things are not metrics."""
    content = b'{"iteration": 1, "iterations": 5, "metrics": {"a": 0.5, "b": "NaN", "c": []}}'
    assert parse_progress(content) == Progress(1, 5, {"a": 0.5, "b": "NaN"})
    assert parse_progress(b"[]") is None


def test_reason_of_an_early_end_is_read_if_it_is_text() -> None:
    """It is shown, so it is made printable and short."""
    content = b'{"iteration": 1, "iterations": 5, "stopped_early": %s}'
    for written, read in ((b'"why\\u001b"', "why"), (b"3", ""), (b'"' + 999 * b"x" + b'"', "xxx")):
        progress = parse_progress(content % written)
        assert progress is not None
        assert progress.stopped_early.startswith(read)
        assert "\x1b" not in progress.stopped_early
        assert len(progress.stopped_early) < 200


def test_number_that_json_does_not_know_becomes_a_text() -> None:
    """Python's own writer makes numbers of them, which scripts in other languages refuse."""
    content = (
        b'{"iteration": 1, "iterations": 5, "metrics": {"a": NaN, "b": Infinity, "c": -Infinity}}'
    )
    progress = parse_progress(content)
    assert progress is not None
    assert progress.metrics == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}
