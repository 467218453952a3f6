"""``orch status`` tells where the runs stand, once or again and again."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable

import pytest

from orchestrator.cli.commands import status
from orchestrator.grid.identity import RunId
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status

from .conftest import Grid


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
