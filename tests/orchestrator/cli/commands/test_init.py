"""``orch init`` writes a project that runs at once."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.commands import init
from orchestrator.cli.main import call
from orchestrator.errors import UsageError
from orchestrator.extras import Extra

ORCH = Path(sys.executable).with_name("orch")


@pytest.mark.parametrize(
    ("options", "changes", "runs"),
    [(["--app"], ["steps=5"], 7), ([], ["iterations=1"], 6)],
)
def test_project_is_planned_run_and_compared_as_it_is(
    tmp_path: Path, options: list[str], changes: list[str], runs: int
) -> None:
    """As its last line says: ``cd DIR && orch plan && orch run``; shorter here."""

    def orch(*arguments: str, folder: Path) -> str:
        return subprocess.run(
            [ORCH, *arguments], cwd=folder, capture_output=True, text=True, check=True
        ).stdout

    said = orch("init", "my project", *options, folder=tmp_path)
    assert said.endswith("Next: cd 'my project' && orch plan && orch run\n")
    folder = tmp_path / "my project"
    assert f"{runs} pending" in orch("plan", folder=folder)
    quiet = ("--quiet", "orch.tracking.enabled=false", *changes)
    assert orch("run", *quiet, folder=folder) == f"{runs} of {runs} runs are done.\n"
    assert "first" in orch("results", *changes, folder=folder)
    written = [path for path in folder.rglob("*") if path.suffix in (".md", ".yaml", ".py")]
    assert not [
        path for path in written if "@ID@" in path.read_text() or "@NAME@" in path.read_text()
    ]
    assert len((folder / "README.md").read_text().splitlines()) <= 14
    assert (folder / ".gitignore").exists()


@pytest.mark.parametrize(
    ("name", "experiment"),
    [
        ("digits", "digits"),
        ("my project", "my-project"),
        ("2026", "grid-2026"),
        ("null", "grid-null"),
    ],
)
def test_experiment_has_the_name_of_the_folder(
    tmp_path: Path, name: str, experiment: str, output: Callable[[], str]
) -> None:
    assert call(["init", str(tmp_path / name), "--app", "--json"]) == 0
    said = json.loads(output())
    assert "train.py" in said["files"]
    assert f"experiment_id: {experiment} #" in (tmp_path / name / "conf/config.yaml").read_text()


def test_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/.hidden").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, why in (("mine", "is not empty"), ("file", "Not a dir"), ("link", "is not empty")):
        with pytest.raises(UsageError, match=why):
            call(["init", str(tmp_path / name), "--app"])
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [".hidden"]


def test_empty_folder_may_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: Callable[[], str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(["init", ".", "--app"]) == 0
    assert output().endswith("Next: orch plan && orch run\n")


def test_missing_trainer_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init, "TRAINER", Extra("trainer", "no_such_package"))
    with pytest.raises(UsageError, match="orch init DIR --app"):
        call(["init", str(tmp_path / "mine")])
    assert not (tmp_path / "mine").exists()
