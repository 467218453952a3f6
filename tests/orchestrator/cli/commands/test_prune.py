"""``orch prune`` removes what the grid no longer names, and nothing else."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.errors import UsageError

from .conftest import Grid


def test_nothing_is_removed_without_yes(grid: Grid, output: Callable[[], str]) -> None:
    """It shows what would go, and why the grid does not name it."""
    gone = grid.make(0.3, 0)
    assert grid.orch("prune", "lr=0.1,0.2") == 0
    told = output()
    assert gone.run_id[:8] in told
    assert "--yes removes them" in told
    assert gone.path.is_dir()


def test_only_what_the_grid_does_not_name_is_removed(grid: Grid, output: Callable[[], str]) -> None:
    """What is named stays as it is, and a second call finds nothing."""
    kept, gone = grid.make(0.1, 0), grid.make(0.3, 0)
    assert grid.orch("prune", "lr=0.1,0.2", "--yes", "--json") == 0
    assert [(run["run_id"], run["removed"]) for run in json.loads(output())["runs"]] == [
        (gone.run_id, True)
    ]
    assert [entry.name for entry in grid.experiment.training.iterdir()] == [kept.run_id]
    grid.orch("prune", "lr=0.1,0.2", "--yes")
    assert "Nothing to remove" in output()


def test_run_that_lives_is_never_removed(grid: Grid, output: Callable[[], str]) -> None:
    """The lock decides; the exit code tells that something was left."""
    lives = grid.make(0.3, 0)
    lock = lives.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert grid.orch("prune", "--yes") == 3
    assert f"kept {lives.run_id}  lr=0.3 seed=0: a process of it is live" in output()
    assert lives.path.is_dir()
    os.close(lock)
    assert grid.orch("prune", "--yes") == 0
    assert not lives.path.exists()


def test_kill_in_the_middle_leaves_nothing_that_counts(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renamed first, and swept by the next command that prepares the folder."""
    gone = grid.make(0.3, 0)

    def die(path: Any, **options: Any) -> None:
        if not options:
            raise KeyboardInterrupt(path)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            grid.orch("prune", "--yes")
    assert grid.experiment.run_ids() == []
    assert list(grid.experiment.training.iterdir()) != []
    grid.experiment.prepare()
    assert list(grid.experiment.training.iterdir()) == []
    assert not gone.path.exists()


def test_directory_without_a_lock_is_left_to_its_owner(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Nobody can tell whether it lives, so it stays, with what to do."""
    odd = grid.make(0.3, 0)
    (odd.path / "run.lock").unlink()
    assert grid.orch("prune", "--yes") == 3
    assert "a live process of the run cannot be detected" in output()
    assert odd.path.is_dir()


def test_forgotten_grid_is_asked_for_before_finished_runs_go(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Without overrides the config names one run, and all others would be removed."""
    made = [grid.make(lr, seed) for lr in (0.2, 0.3) for seed in (0, 1)]
    assert grid.orch("prune") == 0
    told = output()
    assert "This command names only the one run that the config describes." in told
    assert "would be removed: --yes --without-grid removes them permanently." in told
    with pytest.raises(
        UsageError, match="4 finished runs would be removed: this command names no grid"
    ):
        grid.orch("prune", "--yes")
    assert all(directory.path.is_dir() for directory in made)
    assert grid.orch("prune", "lr=0.2,0.3", "--yes") == 0
    assert [directory.path.is_dir() for directory in made] == [True, False, True, False]
    assert grid.orch("prune", "--yes", "--without-grid") == 0
    assert grid.experiment.run_ids() == []


def test_run_directory_that_is_a_link_is_kept_with_a_line(
    grid: Grid, output: Callable[[], str]
) -> None:
    """Somebody has moved it to another disk; ``orch run`` goes on working."""
    moved = grid.make(0.3, 0)
    moved.path.rename(grid.folder / "moved")
    moved.path.symlink_to(grid.folder / "moved")
    assert grid.orch("prune", "--yes") == 3
    assert "it is a link" in output()
    assert (moved.path / "run.json").exists()
    grid.experiment.prepare()
