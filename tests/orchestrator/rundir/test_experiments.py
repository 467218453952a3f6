"""Experiments are found by their run directories, at most three folders below."""

import os
from pathlib import Path

import pytest

from orchestrator.rundir.experiments import find_experiments, summarize
from orchestrator.rundir.records import dump_status, now
from orchestrator.rundir.state import Record, State, Status

RUN = "0123456789abcdef"


def make(folder: Path, name: str = RUN) -> Path:
    """Make an experiment with one run."""
    path = folder / "training" / name
    path.mkdir(parents=True)
    return path


def names(folder: Path) -> list[str]:
    return [each.path.name for each in find_experiments(folder)]


def test_experiments_are_found_from_the_project_the_results_and_their_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "results/one")
    make(tmp_path / "results/two")
    make(tmp_path / "results/2026/three")
    make(tmp_path / "a/b/c/too-deep")
    make(tmp_path / "results/.trash/hidden")
    assert names(tmp_path) == ["three", "one", "two"]
    assert names(tmp_path / "results/one") == ["one"]
    monkeypatch.chdir(tmp_path / "results/one")
    for here in (Path(), Path("../one"), Path("training/..")):
        assert names(here) == ["one"]


def test_folder_that_only_looks_like_an_experiment_is_none(tmp_path: Path) -> None:
    """A project's own folder ``training``, a link, an experiment without runs."""
    (tmp_path / "code/training").mkdir(parents=True)
    make(tmp_path / "code", "not-a-run")
    make(tmp_path / "results/one")
    (tmp_path / "link").symlink_to(tmp_path / "results")
    (tmp_path / "results/empty/training").mkdir(parents=True)
    assert names(tmp_path) == ["one"]


def test_summary_counts_states_and_tells_the_last_activity(tmp_path: Path) -> None:
    run_dir = make(tmp_path / "one")
    (experiment,) = find_experiments(tmp_path)
    (run_dir / "run.lock").touch()
    status = Status(Record.FAILED, 1, now(), "box", 1)
    (run_dir / "status.json").write_bytes(dump_status(status))
    os.utime(run_dir / "status.json", (0, 1767225600))
    (run_dir / "progress.json").touch()
    os.utime(run_dir / "progress.json", (0, 1767225500))
    found = summarize(experiment)
    assert (found.states[State.FAILED], found.is_executed) == (1, False)
    assert found.last_activity == "2026-01-01T00:00:00+00:00"


def test_experiment_whose_runs_are_gone_has_no_activity(tmp_path: Path) -> None:
    run_dir = make(tmp_path / "one")
    (experiment,) = find_experiments(tmp_path)
    run_dir.rmdir()
    assert summarize(experiment).last_activity is None
