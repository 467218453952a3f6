"""``orch status`` shows the states of the runs, once or continuously."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable

import pytest

from orchestrator.cli.commands import status
from orchestrator.errors import UsageError
from orchestrator.grid.identity import RunId
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status

from .conftest import Grid, leave


def test_of_many_runs_those_are_shown_that_want_a_look(
    grid: Grid, output: Callable[[], str]
) -> None:
    """The others are counted; ``--all`` lists them."""
    done, failed = grid.make(0.1, 0), grid.make(0.3, 0, record=Record.FAILED)
    for number in range(50):
        copy = grid.experiment.run(RunId(f"{number:016x}"))
        shutil.copytree(done.path, copy.path)
        told = copy.identity.read_text()
        copy.identity.write_text(told.replace(done.run_id, copy.run_id))
    grid.orch("status")
    told = output()
    assert failed.run_id[:8] in told
    assert done.run_id[:8] not in told
    assert "1 of 52 runs are shown; --all lists them.\n1 failed, 51 done\n" in told
    grid.orch("status", "--all")
    assert done.run_id[:8] in output()


def test_watching_ends_when_nothing_runs_any_more(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks again for as long as a run lives; as JSON, a line each time."""
    directory = grid.make(0.1, 0, record=Record.RUNNING)
    lock = directory.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)

    def look_away(*_: object) -> None:
        os.close(lock)

    monkeypatch.setattr(status.select, "select", look_away)
    assert grid.orch("status", "--watch", "--json") == 0
    states = [json.loads(line)["runs"][0]["state"] for line in output().splitlines()]
    assert states == ["running", "stale"]


def test_watching_lasts_as_long_as_anybody_executes(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two runs, in a pause and before the first start nothing runs, and more is to come."""
    directory = grid.make(0.1, 0, record=Record.FAILED)
    descriptor = os.open(grid.experiment.path / "orchestrators.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    looks = iter(range(3))

    def look_away(*_: object) -> None:
        if next(looks) == 2:
            directory.write_status(Status(Record.DONE, 2, now(), "box", 1, ended_at=now()))
            os.close(descriptor)

    monkeypatch.setattr(status.select, "select", look_away)
    assert grid.orch("status", "--watch", "--json") == 0
    states = [json.loads(line)["runs"][0]["state"] for line in output().splitlines()]
    assert states == ["failed", "failed", "failed", "done"]


def test_runs_are_chosen_by_state_condition_and_metric(
    grid: Grid, output: Callable[[], str]
) -> None:
    """What is listed is the choice; what is counted is everything that meets the condition."""
    for lr, seed, loss in ((0.1, 0, 0.5), (0.1, 1, 0.2), (0.2, 0, 0.9)):
        leave(grid.make(lr, seed), **{"test/loss": loss})
    grid.make(0.2, 1, record=Record.FAILED)

    def chosen(*options: str) -> list[dict[str, object]]:
        grid.orch("status", "--json", *options)
        return [run["overrides"] for run in json.loads(output())["runs"]]

    assert chosen("--state", "failed") == [{"lr": 0.2, "seed": 1}]
    assert len(chosen("--state", "failed", "--state", "done")) == 4
    assert chosen("--where", "lr == 0.1 & seed > 0") == [{"lr": 0.1, "seed": 1}]
    assert chosen("--sort", "test/loss", "--top", "2") == [
        {"lr": 0.1, "seed": 1},
        {"lr": 0.1, "seed": 0},
    ]
    assert chosen("--sort", "test/loss")[-1] == {"lr": 0.2, "seed": 1}  # it has none
    grid.orch("status", "--state", "failed")
    lines = output().splitlines()
    assert (len(lines), lines[-1]) == (3, "1 failed, 3 done")


def test_metric_and_condition_that_fit_no_run_are_refused(grid: Grid) -> None:
    """One line says which there are."""
    leave(grid.make(0.1, 0), **{"test/loss": 0.5})
    with pytest.raises(UsageError, match="no run has the metric 'los'"):
        grid.orch("status", "--sort", "los")
    with pytest.raises(UsageError, match="none of the 1 runs meets it"):
        grid.orch("status", "--where", "lr > 7")
