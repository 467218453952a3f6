"""The reporter looks at every run, sends what is new, and spends little when nothing is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Record, Status
from orchestrator.tracking.__main__ import log_in
from orchestrator.tracking.progress_messages import News, hear
from orchestrator.tracking.reporter import Orders, Reporter, Round, _pause, report
from orchestrator.tracking.sender import Scope

SCOPE = Scope("0123456789abcdef", "first", list)


@pytest.fixture
def channel() -> Iterator[tuple[int, int]]:
    """Return a pipe that nobody waits for."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def reporter(experiment: ExperimentDirectory, store: Any, channel: tuple[int, int]) -> Reporter:
    """Return a reporter that knows nothing yet."""
    return Reporter(experiment, store, SCOPE, channel[1])


def test_round_sends_what_is_there_and_tells_of_it(
    directory: RunDirectory, reporter: Reporter, store: Any, channel: tuple[int, int]
) -> None:
    """Afterwards nothing is behind."""
    del directory
    assert reporter.round(send=True) == Round(living=0, behind=0)
    assert store.steps == [1, 2, 3]
    assert hear(channel[0], News()) == News(runs=1, points=3)
    calls = store.calls
    reporter.round(send=True)
    assert store.calls == calls


def test_new_points_of_a_run_are_seen(
    experiment: ExperimentDirectory,
    runs: list[Run],
    reporter: Reporter,
    store: Any,
    append: Callable[..., None],
    ended: Callable[..., Status],
) -> None:
    """Whole lines only; and a new attempt of a run that had failed."""
    directory = experiment.create(runs[0])
    assert reporter.round(send=True) == Round(living=0, behind=0)
    assert store.runs == {}  # there is nothing to tell of a run that has not begun
    directory.write_status(ended(Record.FAILED))
    append(directory, 1, 2, end="")
    reporter.round(send=True)
    assert store.steps == [1]
    append(directory, 3, end="")
    reporter.round(send=True)
    assert store.steps == [1]
    with directory.metrics.open("a") as file:
        file.write("\n")
    directory.write_status(ended(Record.DONE, attempt=2))
    reporter.round(send=True)
    assert store.run.tags["orch.attempt"] == "2"


def test_what_is_wrong_is_said_once(
    directory: RunDirectory,
    reporter: Reporter,
    store: Any,
    caplog: pytest.LogCaptureFixture,
    channel: tuple[int, int],
) -> None:
    """In one line, for as long as it lasts, without the name of a class."""
    del directory
    store.is_away = True
    for _ in range(3):
        assert reporter.round(send=True).behind == 1
    line = "the tracking server does not answer (connection refused)"
    assert [record.message for record in caplog.records] == [line]
    assert hear(channel[0], News()) == News(behind=1, problem=line)
    store.is_away = False
    assert reporter.round(send=True) == Round(living=0, behind=0)
    assert hear(channel[0], News()).problem == ""


def test_run_that_mlflow_refuses_does_not_keep_the_others(
    experiment: ExperimentDirectory,
    runs: list[Run],
    reporter: Reporter,
    store: Any,
    append: Callable[..., None],
    ended: Callable[..., Status],
) -> None:
    """Nor does one whose directory is damaged."""
    for run in runs:
        directory = experiment.create(run)
        append(directory, 1)
        directory.write_status(ended(Record.DONE))
    _, second, _ = experiment.runs()
    (second.path / "run.json").write_text("damaged")
    store.fails_at = 2  # creating the first
    assert reporter.round(send=True).behind == 1
    assert reporter.round(send=True).behind == 0
    finished = [run for run in store.runs.values() if run.state]
    assert len(finished) == 2


def test_without_its_turn_a_reporter_sends_nothing(
    directory: RunDirectory, reporter: Reporter, store: Any
) -> None:
    """Two writers would be two too many; it says what it waits for."""
    del directory
    found = reporter.round(send=False)
    assert (found.behind, found.problem) == (1, "another reporter is at work on this experiment")
    assert store.calls == 0


def test_report_ends_when_everything_has_arrived(
    experiment: ExperimentDirectory, directory: RunDirectory, reporter: Reporter, store: Any
) -> None:
    """Ordered to end, it sends what is there first."""
    del directory
    assert report(reporter, experiment.path, Orders.END) == 0
    assert store.steps == [1, 2, 3]


def test_rest_is_as_long_as_the_work_was_dear() -> None:
    """A look that cost 60 ms is followed by 2 s; failures double it; at the end there is none."""
    assert _pause(Orders.GO_ON, spent=0.0001, failures=0) == 0.5
    assert _pause(Orders.GO_ON, spent=0.06, failures=0) == pytest.approx(2.0)
    assert _pause(Orders.GO_ON, spent=0.0, failures=3) == 4.0
    assert _pause(Orders.ORPHANED, spent=9.0, failures=20) == 10.0
    assert _pause(Orders.END, spent=9.0, failures=0) == 0.0


def test_opening_the_store_calls_for_no_rest(
    experiment: ExperimentDirectory, channel: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a second of a processor: rationed, a short grid would be over before the next round."""
    clock = iter([0.0, 1.25])

    class Dear:
        mark = "1:1"

    reporter = Reporter(experiment, cast("Any", Dear()), SCOPE, channel[1])
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    assert reporter.round(send=True).needed == 1.25


def test_password_of_a_server_leaves_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow writes addresses into errors; user and password it takes apart."""
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "")
    assert log_in("https://me:p%40ss@server:5000/x") == "https://server:5000/x"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "p@ss"  # noqa: S105 # no real one
    assert log_in("sqlite:////x/mlflow.db") == "sqlite:////x/mlflow.db"


def test_news_that_are_no_news_are_passed_over(channel: tuple[int, int]) -> None:
    """Nothing that comes through the pipe can hurt who listens."""
    os.write(channel[1], b"nonsense\n" + json.dumps({"runs": 1}).encode() + b"\n")
    assert hear(channel[0], News(runs=7)) == News(runs=7)
