"""What finished runs took, as their directories tell."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.execution.past_runs import bytes_of, parts_of, pick_some, seconds_of
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, Status

BEGAN, ENDED = "2026-11-29T10:00:00.000+00:00", "2026-11-29T10:01:30.500+00:00"
MOMENT = 1795946400000  # BEGAN, in milliseconds


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


def status(
    attempt: int = 1, record: Record = Record.DONE, began: str = BEGAN, ended: str | None = ENDED
) -> Status:
    return Status(record, attempt, began, "box", 1, ended_at=ended)


def test_first_attempt_took_the_whole(directory: RunDirectory) -> None:
    assert seconds_of(directory, status()) == 90.5


@pytest.mark.parametrize(
    "odd",
    [
        None,
        status(record=Record.FAILED),
        status(ended=None),
        status(ended="then"),
        status(began="2026-11-29T10:00:00"),  # without a time zone
        status(began=ENDED, ended=BEGAN),  # the clock was put back
        status(attempt=2),  # without metrics
    ],
)
def test_what_does_not_tell_a_time_is_left_out(directory: RunDirectory, odd: object) -> None:
    assert seconds_of(directory, odd) is None


@pytest.mark.parametrize(
    "ended", ["1996-11-29T10:00:00.000+00:00", "2036-11-29T10:00:00.000+00:00"]
)
def test_clock_that_was_set_meanwhile_changes_no_time(directory: RunDirectory, ended: str) -> None:
    """What the runner has measured counts; also where a step lies in between."""
    assert seconds_of(directory, replace(status(ended=ended), seconds=9.5)) == 9.5
    log_steps(directory, -80, -70, 1, 300_000_000)
    resumed = replace(status(attempt=2, ended=ended), seconds=9.5)
    assert seconds_of(directory, resumed) == pytest.approx(2 * 9.5)


def log_steps(directory: RunDirectory, *seconds: float) -> None:
    """Leave the metrics of steps that were over some seconds after the last attempt had begun."""
    points = [
        {"key": "loss", "step": step, "value": 1.0, "timestamp": MOMENT + 1000 * each}
        for step, each in enumerate(seconds, start=1)
    ]
    points.insert(0, {"key": "loss", "step": len(points), "value": 2.0, "timestamp": MOMENT - 1})
    lines = [json.dumps(point) for point in points]
    directory.metrics.write_text("\n".join(["not json", *lines, '{"step": "x"}']))


@pytest.mark.parametrize("is_extending", [False, True])
def test_attempt_that_computed_some_steps_is_scaled_to_all(
    directory: RunDirectory, *, is_extending: bool
) -> None:
    """Of ten steps it computed five, of 4 s each; its start and its end are not those of more.

    Points of a step that was computed twice count as the last.
    """
    if is_extending:
        (directory.path / "extended.json").touch()
    log_steps(directory, -5000, -4990, -4980, -900, -890, 10, 14, 18, 22, 26)
    found = status(1 if is_extending else 2)
    assert seconds_of(directory, found) == pytest.approx(90.5 + 5 * 4)
    assert parts_of(directory, found) == pytest.approx((90.5 - 5 * 4, 10 * 4))


def test_attempt_of_one_step_has_the_pace_of_the_others(directory: RunDirectory) -> None:
    """But no step takes longer than the attempt: it waited between its attempts."""
    log_steps(directory, -80, -70, -60, 80)
    assert seconds_of(directory, status(attempt=2)) == pytest.approx(90.5 + 3 * 10)
    log_steps(directory, -3000, -2000, 80)
    assert seconds_of(directory, status(attempt=2)) == pytest.approx(3 * 90.5)
    log_steps(directory, -30, -20)
    assert seconds_of(directory, status(attempt=2)) is None
    assert parts_of(directory, status(attempt=2)) is None


def test_start_is_what_the_steps_leave(directory: RunDirectory) -> None:
    log_steps(directory, 30, 40, 50, 60)
    assert parts_of(directory, status()) == pytest.approx((50.5, 40))
    assert parts_of(directory, None) is None
    log_steps(directory, 1, 90)
    assert parts_of(directory, status()) == (0, pytest.approx(90.5))
    log_steps(directory, 30)
    assert parts_of(directory, status()) is None


def test_steps_take_no_longer_than_their_run(directory: RunDirectory) -> None:
    """A clock that was set between them says so."""
    log_steps(directory, 1, 2, 100_003, 100_004)
    found = parts_of(directory, replace(status(), seconds=9.5))
    assert found == pytest.approx((0, 9.5))


def test_steps_that_were_all_logged_at_the_end_tell_no_pace(directory: RunDirectory) -> None:
    """As a program does that logs its history, or whose output is buffered."""
    log_steps(directory, 90, 90, 90.001, 90.001, 90.002)
    assert parts_of(directory, status()) is None
    assert parts_of(directory, status(attempt=2)) is None


def test_parts_are_those_of_both_ends_of_a_long_file(directory: RunDirectory) -> None:
    """Which would take long to read, and may log every tenth iteration."""
    log_steps(directory, 30, 40)
    filler = f'{{"key": "loss", "text": "{"x" * 100}"}}\n' * 20_000
    end = {"key": "loss", "step": 6, "value": 1.0, "timestamp": MOMENT + 80_000}
    directory.metrics.write_text(f"{directory.metrics.read_text()}\n{filler}{json.dumps(end)}\n")
    assert parts_of(directory, status()) == pytest.approx((90.5 - 6 * 10, 60))


def test_file_with_two_names_counts_once(tmp_path: Path) -> None:
    """The best checkpoint is a link to one of the last."""
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    before = bytes_of(RunDirectory(run))
    (run / "checkpoints/1.pt").write_bytes(b"x" * 100_000)
    (run / "checkpoints/best.pt").hardlink_to(run / "checkpoints/1.pt")
    (run / "log").symlink_to("/")
    assert 100_000 <= bytes_of(RunDirectory(run)) - before < 150_000
    assert bytes_of(RunDirectory(tmp_path / "gone")) == 0


@pytest.mark.parametrize("count", [0, 1, 10, 11, 100, 12_345])
def test_some_are_picked_in_order_and_from_everywhere(count: int) -> None:
    """Not each hundredth: that might be the same seed each time."""
    picked = pick_some(range(count), 10)
    assert list(picked) == sorted(set(picked))
    assert min(count, 6) <= len(picked) <= 10
    if count >= 100:
        assert picked[0] < count / 10
        assert picked[-1] > count * 0.8
        assert len({each % 10 for each in picked}) > 4
