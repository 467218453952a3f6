"""The reporter's process is started, watched and ended, and never waited for in vain."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.config.orch_settings import Tracking
from orchestrator.grid.identity import identify
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status
from orchestrator.tracking.destination import store_uri
from orchestrator.tracking.reporter_handle import (
    SYNC_PATIENCE,
    Backlog,
    Patience,
    ReporterProcess,
    find_backlog,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own
DEADLINE = 60.0


def never() -> bool:
    return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        select.select([], [], [], 0.02)  # not at full speed: the reporter is very polite


def steps(experiment: ExperimentDirectory, tracking: Tracking) -> list[int]:
    client = MlflowClient(store_uri(experiment, tracking))
    found = client.get_experiment_by_name(experiment.experiment_id)
    assert found is not None
    (run,) = client.search_runs([found.experiment_id])
    return sorted(each.step for each in client.get_metric_history(run.info.run_id, "loss"))


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Return the address of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://me:canary@127.0.0.1:{server.getsockname()[1]}"


def test_killed_reporter_is_followed_by_another(
    experiment: ExperimentDirectory, directory: RunDirectory
) -> None:
    """Everything arrives; afterwards nothing waits, and nothing is left to be sent."""
    del directory
    tracking = Tracking()
    assert find_backlog(experiment, tracking) == Backlog(1, 3)
    reporter = ReporterProcess(experiment, tracking)
    reporter.start()
    assert reporter._process is not None
    os.kill(reporter._process.pid, signal.SIGKILL)
    assert reporter.finish(Patience(), never) == ""
    assert find_backlog(experiment, tracking) == Backlog()
    assert steps(experiment, tracking) == [1, 2, 3]
    assert (reporter.progress.runs, reporter.progress.points) == (1, 3)
    # Somebody removes the store: then nothing has arrived.
    (experiment.results_dir / "mlflow.db").unlink()
    assert find_backlog(experiment, tracking) == Backlog(1, 3)


def test_server_that_is_away_costs_a_moment_and_is_told_in_one_line(
    experiment: ExperimentDirectory, directory: RunDirectory
) -> None:
    """Known to be away all along, it is not waited for at the end."""
    del directory
    tracking = Tracking(uri="http://me:canary@127.0.0.1:9")
    reporter = ReporterProcess(experiment, tracking)
    reporter.start()

    def is_told() -> bool:
        reporter._listen()
        return bool(reporter.progress.problem)

    wait_until(is_told)
    begun = time.monotonic()
    problem = reporter.finish(Patience(troubled=60.0), never)
    assert time.monotonic() - begun < 20.0  # on a busy machine
    assert problem == "the tracking server does not answer (connection refused)"
    assert find_backlog(experiment, tracking) == Backlog(1, 3)
    assert "canary" not in (experiment.path / "tracking.log").read_text()


def test_server_that_never_answers_is_given_up(
    experiment: ExperimentDirectory, directory: RunDirectory, silent_server: str
) -> None:
    """Where nothing moves, patience ends; no process is left, and no password in its arguments."""
    del directory
    reporter = ReporterProcess(experiment, Tracking(uri=silent_server))
    reporter.start()
    assert reporter._process is not None
    pid = reporter._process.pid
    wait_until(lambda: bool(reporter._listen() or reporter._heard))
    with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 # no file on a disk
        assert b"canary" not in file.read()
    impatient = Patience(working=0.2)
    assert reporter.finish(impatient, never) == "the store takes too long to answer"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_who_asks_to_end_twice_is_not_kept_waiting(
    experiment: ExperimentDirectory, directory: RunDirectory, silent_server: str
) -> None:
    """Also before the reporter is there."""
    del directory
    reporter = ReporterProcess(experiment, Tracking(uri=silent_server))
    begun = time.monotonic()
    assert reporter.finish(SYNC_PATIENCE, lambda: True) != ""
    assert time.monotonic() - begun < 20.0  # on a busy machine


def test_reporter_that_imports_mlflow_for_nothing_is_not_waited_for(
    experiment: ExperimentDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has taken seconds when the first run has not started yet."""
    importing = (sys.executable, "-c", "import time; time.sleep(600)")
    monkeypatch.setattr("orchestrator.tracking.reporter_handle._REPORTER", importing)
    reporter = ReporterProcess(experiment, Tracking())
    assert not reporter.end_if_idle()
    reporter.start()
    assert reporter._process is not None
    assert reporter.end_if_idle()
    assert reporter._process.returncode == -signal.SIGKILL


def test_reporter_that_has_something_to_send_is_waited_for(
    experiment: ExperimentDirectory, directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    del directory
    importing = (sys.executable, "-c", "import time; time.sleep(600)")
    monkeypatch.setattr("orchestrator.tracking.reporter_handle._REPORTER", importing)
    reporter = ReporterProcess(experiment, Tracking())
    reporter.start()
    assert not reporter.end_if_idle()
    assert reporter.finish(Patience(), lambda: True) != ""


@pytest.mark.parametrize("computes", [True, False])
def test_reporter_that_computes_is_waited_for(
    experiment: ExperimentDirectory, monkeypatch: pytest.MonkeyPatch, *, computes: bool
) -> None:
    """On a busy machine it may take minutes to import MLflow and to create the store."""
    program = "input()" if computes else "import time; time.sleep(600)"
    handle = "orchestrator.tracking.reporter_handle"
    monkeypatch.setattr(f"{handle}._REPORTER", (sys.executable, "-c", program))
    monkeypatch.setattr(f"{handle}.time", SimpleNamespace(monotonic=count(0.0, 7.0).__next__))
    used = count(0.5, 0.5 if computes else 0.0)
    monkeypatch.setattr(ReporterProcess, "_processor_time", lambda _: next(used))
    reporter = ReporterProcess(experiment, Tracking())
    reporter.start()
    problem = reporter.finish(Patience(unheard=20.0), never)
    assert problem == ("" if computes else "the store takes too long to answer")


def test_processor_time_of_a_reporter_is_read(
    experiment: ExperimentDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import time\nwhile time.process_time() < 0.5: pass\ntime.sleep(600)"
    handle = "orchestrator.tracking.reporter_handle"
    monkeypatch.setattr(f"{handle}._REPORTER", (sys.executable, "-c", program))
    reporter = ReporterProcess(experiment, Tracking())
    assert reporter._processor_time() == 0.0
    reporter.start()
    wait_until(lambda: reporter._processor_time() >= 0.2)
    reporter._end("")


@pytest.mark.parametrize(
    ("waiting", "text"),
    [
        (Backlog(1, 1), "1 point of 1 run"),
        (Backlog(3, 120), "120 points of 3 runs"),
        (Backlog(1, 0), "the state of 1 run"),
    ],
)
def test_what_waits_is_said_in_words(waiting: Backlog, text: str) -> None:
    """A run may wait only for its end to be told."""
    assert str(waiting) == text


def test_what_stands_in_place_of_the_log_stops_nothing(
    experiment: ExperimentDirectory, directory: RunDirectory
) -> None:
    """A pipe that nobody reads would be waited for; the reporter works without a log."""
    del directory
    os.mkfifo(experiment.path / "tracking.log")
    reporter = ReporterProcess(experiment, Tracking(uri="http://127.0.0.1:9"))
    assert (
        reporter.finish(Patience(), lambda: True) == "it was stopped before everything had arrived"
    )


def test_run_that_does_not_say_which_it_is_waits_for_nothing(
    experiment: ExperimentDirectory, directory: RunDirectory
) -> None:
    """It cannot be sent, so no reporter is started for it repeatedly."""
    assert find_backlog(experiment, Tracking()).runs == 1
    (directory.path / "run.json").write_text("damaged")
    assert find_backlog(experiment, Tracking()) == Backlog()


def test_store_stands_where_results_dir_says(tmp_path: Path) -> None:
    """Whatever stands in its path: nothing is written beside it, and MLflow finds what was sent."""
    name = "p%41z, q?x#"
    experiment = ExperimentDirectory(tmp_path / name, "first")
    experiment.prepare()
    directory = experiment.create(identify({"seed": 0}, {"seed": 0}))
    directory.write_status(Status(Record.DONE, 1, now(), "box", 1, ended_at=now()))
    reporter = ReporterProcess(experiment, Tracking())
    assert reporter.finish(Patience(), never) == ""
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "mlflow.db").is_file()
    assert len(list((tmp_path / name / "mlartifacts").rglob("config.yaml"))) == 1
    assert find_backlog(experiment, Tracking()) == Backlog()
