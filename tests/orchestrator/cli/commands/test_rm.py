"""``orch rm`` removes chosen runs, and no others."""

import fcntl
import json
import os
from collections.abc import Callable

import pytest

from orchestrator.errors import UsageError
from orchestrator.rundir.state import Record

from .conftest import Grid


def test_nothing_is_removed_without_yes(grid: Grid, output: Callable[[], str]) -> None:
    """It shows what would go."""
    directory = grid.make(0.1, 0)
    assert grid.orch("rm", directory.run_id[:5]) == 0
    said = output()
    assert directory.run_id[:8] in said
    assert "--yes removes it permanently" in said
    assert directory.path.is_dir()


def test_chosen_runs_are_removed_whatever_their_state(
    grid: Grid, output: Callable[[], str]
) -> None:
    """By a condition on their configs; the others stay."""
    gone = [grid.make(0.1, 0), grid.make(0.2, 0, record=Record.FAILED)]
    kept = grid.make(0.1, 1)
    assert grid.orch("rm", "--where", "seed == 0", "--yes", "--json") == 0
    runs = json.loads(output())["runs"]
    assert {run["run_id"] for run in runs if run["removed"]} == {each.run_id for each in gone}
    assert [each.run_id for each in grid.experiment.runs()] == [kept.run_id]


def test_live_run_is_never_removed(grid: Grid, output: Callable[[], str]) -> None:
    """The lock decides; the exit code says that something was left."""
    live, gone = grid.make(0.1, 0, record=Record.RUNNING), grid.make(0.2, 0)
    lock = live.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert grid.orch("rm", live.run_id) == 0
    assert "It is running: nothing would be removed." in output()
    assert grid.orch("rm", live.run_id, gone.run_id) == 0
    assert "1 of these 2 runs would be removed, not the one that is running: --yes" in output()
    assert grid.orch("rm", live.run_id, gone.run_id, "--yes") == 3
    os.close(lock)
    said = output()
    assert f"kept {live.run_id}  lr=0.1 seed=0: a process of it is live" in said
    assert "1 of 2 run directories were removed" in said
    assert (live.path.is_dir(), gone.path.exists()) == (True, False)


def test_what_a_rerun_keeps_is_removed_with_the_run(grid: Grid) -> None:
    """Also where the new directory has not been created yet."""
    for begun in (True, False):
        directory = grid.make(0.1, 0)
        grid.experiment.replaced.put_aside([directory.run_id], print)
        if begun:
            grid.make(0.1, 0, record=Record.FAILED)
        assert grid.orch("rm", directory.run_id, "--yes") == 0
        assert grid.experiment.standing() == []


@pytest.mark.parametrize("command", ["rm", "rerun"])
@pytest.mark.parametrize("override", ["seed=1", "seed=1,2", "lr=0.3"])
def test_override_that_contradicts_the_run_is_refused(
    grid: Grid, command: str, override: str
) -> None:
    """Which of the two is meant, nobody knows."""
    directory = grid.make(0.1, 0)
    name = override.partition("=")[0]
    with pytest.raises(
        UsageError, match=rf"has {name}=[\d.]+, and the command line says {override}"
    ):
        grid.orch(command, directory.run_id, override)
    assert directory.path.is_dir()


@pytest.mark.parametrize("override", ["seed=0", "seed=1,0", "lr=0.1", "orch.retries=7"])
def test_override_that_fits_the_run_is_allowed(
    grid: Grid, override: str, output: Callable[[], str]
) -> None:
    """So is the command line of its grid, and a setting that is part of no run."""
    directory = grid.make(0.1, 0)
    assert grid.orch("rm", directory.run_id, override, "--yes") == 0
    assert f"removed {directory.run_id}  lr=0.1 seed=0" in output()


def test_override_of_what_is_not_part_of_the_run_id_is_allowed(
    grid: Grid, output: Callable[[], str]
) -> None:
    """It is the same run whatever its value."""
    directory = grid.make(0.1, 0)
    record = json.loads(directory.identity.read_text())
    directory.identity.write_text(json.dumps(record | {"identity_exclude": ["seed"]}))
    assert grid.orch("rm", directory.run_id, "seed=8") == 0
    assert "--yes removes it permanently" in output()
