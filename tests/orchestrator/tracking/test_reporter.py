"""The reporter looks at every run, sends what is new, and spends little when nothing is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.mlflow_run_request import Answer, read_answer
from orchestrator.rundir.state import Record, Status
from orchestrator.tracking import reporter as reporter_module
from orchestrator.tracking.delivery_record import Destination, read_delivery
from orchestrator.tracking.progress_messages import ProgressMessage, read_newest
from orchestrator.tracking.reported_content import Scope
from orchestrator.tracking.reporter import Orders, Reporter, Round, _pause, report
from orchestrator.tracking.sender import Sender

SCOPE = Scope(Destination("0123456789abcdef"), "first", list)


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
    assert read_newest(channel[0], ProgressMessage()) == ProgressMessage(runs=1, points=3)
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
    assert read_newest(channel[0], ProgressMessage()) == ProgressMessage(behind=1, problem=line)
    store.is_away = False
    assert reporter.round(send=True) == Round(living=0, behind=0)
    assert read_newest(channel[0], ProgressMessage()).problem == ""


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
    assert (found.behind, found.problem) == (1, "another reporter is working on this experiment")
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
    assert _pause(Orders.CONTINUE, spent=0.0001, failures=0) == 0.5
    assert _pause(Orders.CONTINUE, spent=0.06, failures=0) == pytest.approx(2.0)
    assert _pause(Orders.CONTINUE, spent=0.0, failures=3) == 4.0
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


def replace_by(path: Path, what: str) -> None:
    """Put something else in the place of a file that has been read."""
    content = path.read_bytes()
    path.unlink()
    match what:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to("elsewhere")
        case "shrunk":
            path.write_bytes(content[:-10])
        case "empty":
            path.touch()
        case "garbage":
            path.write_bytes(b"\x00" * len(content))
        case "sparse":
            path.touch()
            os.truncate(path, 10**12)


@pytest.mark.parametrize("record", [Record.DONE, Record.FAILED, Record.INTERRUPTED])
@pytest.mark.parametrize(
    "what", ["nothing", "folder", "pipe", "link", "shrunk", "empty", "garbage", "sparse"]
)
@pytest.mark.parametrize("orders", [Orders.END, Orders.ORPHANED])
def test_reporter_ends_whatever_became_of_the_points(
    experiment: ExperimentDirectory,
    directory: RunDirectory,
    store: Any,
    channel: tuple[int, int],
    ended: Callable[..., Status],
    record: Record,
    what: str,
    orders: Orders,
) -> None:
    """It neither spins nor waits for what nobody can read, nor loses what it has sent."""
    assert report(Reporter(experiment, store, SCOPE, channel[1]), experiment.path, Orders.END) == 0
    replace_by(directory.metrics, what)
    directory.write_status(ended(record, attempt=2))
    assert report(Reporter(experiment, store, SCOPE, channel[1]), experiment.path, orders) == 0
    calls = store.calls
    assert report(Reporter(experiment, store, SCOPE, channel[1]), experiment.path, orders) == 0
    assert store.calls == calls  # the second time, there is nothing left to be done
    assert store.run.tags["orch.attempt"] == "2"


def test_reporter_ends_beside_a_process_that_goes_on_writing(
    experiment: ExperimentDirectory,
    directory: RunDirectory,
    store: Any,
    channel: tuple[int, int],
    append: Callable[..., None],
) -> None:
    """A run that is over may have left one; what was there at the end has arrived."""
    steps = iter(range(4, 10_000))

    def send(*arguments: Any, **options: Any) -> None:
        append(directory, next(steps))
        type(store).send(store, *arguments, **options)

    store.send = send
    assert report(Reporter(experiment, store, SCOPE, channel[1]), experiment.path, Orders.END) == 0
    assert store.steps[:3] == [1, 2, 3]


def test_run_that_can_not_be_sent_is_told_and_ends_the_work(
    experiment: ExperimentDirectory,
    directory: RunDirectory,
    reporter: Reporter,
    channel: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A turn without progress is an error in one line, never another turn without end."""
    monkeypatch.setattr(Sender, "send", lambda *_: None)
    monkeypatch.setattr(reporter_module, "_LAST_PAUSE", 0.0)
    assert report(reporter, experiment.path, Orders.END) == 1
    problem = read_newest(channel[0], ProgressMessage()).problem
    assert problem == f"{directory.path}: its files cannot be sent"


def test_news_tell_of_work_that_is_not_over(
    directory: RunDirectory, store: Any, append: Any
) -> None:
    """A run of many points takes minutes, in which messages must arrive."""
    store.portions = lambda samples: [samples[:1], samples[1:]]
    heard = []
    told = Sender(directory, store, SCOPE, None, heard.append)
    told.send(directory.observe())
    assert sum(heard) == told.points == 3
    assert len(heard) > 1
    append(directory, 4)
    again = Sender(
        directory, store, SCOPE, read_delivery(directory, SCOPE.destination), heard.append
    )
    again.send(directory.observe())
    assert heard.count(0) > 0  # reading again what was sent before counts as work


def test_runner_that_waits_is_answered_at_once(
    experiment: ExperimentDirectory,
    runs: list[Run],
    store: Any,
    ended: Callable[..., Status],
    channel: tuple[int, int],
) -> None:
    """However young the run is; and told of a problem that lasts."""
    reporter = Reporter(experiment, store, SCOPE._replace(share=True), channel[1])
    directory = experiment.create(runs[0])
    lock = directory.lock.open()
    directory.lock.take(lock)
    directory.write_status(ended(Record.RUNNING))
    reporter.round(send=True)
    assert read_answer(directory.path) == Answer(1, "mlflow-0")
    store.is_away = True
    directory.write_status(ended(Record.RUNNING, 2))
    for _ in range(2):
        reporter.round(send=True)
    why = "the tracking server does not answer (connection refused)"
    assert read_answer(directory.path) == Answer(2, problem=why)
    os.close(lock)
