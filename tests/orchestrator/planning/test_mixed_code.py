"""Runs of different code are told apart by what their files and commands were."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orchestrator.planning.mixed_code import describe_mixed_code
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir import code_record

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.rundir.code_record import Attempt


def attempt(program: list[str] | None = None, **files: str | None) -> Attempt:
    return {"program": program, "directory": "/project", "files": files}


def run(folder: Path, *attempts: Attempt, metrics: dict[str, float] | None) -> RunResults:
    folder.mkdir()
    for number, each in enumerate(attempts, 1):
        code_record.begin(folder, number, json.dumps(each), {})
    code = code_record.digest_of(folder)
    return RunResults({}, metrics, path=str(folder), code=code)


TRAIN = ["python", "train.py"]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ([], ""),
        ([[]], ""),  # by an earlier version
        ([[attempt(TRAIN, model="a")], [attempt(TRAIN, model="a")]], ""),
        ([[attempt(model="a")], [attempt(other="b")]], ""),  # each has loaded its own
        ([[attempt(model="a")], [attempt(model="b")]], "different code: model"),
        ([[attempt(model="a"), attempt(model="b")]], "different code: model"),  # resumed
        ([[attempt(model=None)]], "different code: model"),  # edited meanwhile
        (
            [[attempt(a="1", b="1", c="1", d="1")], [attempt(a="2", b="2", c="2", d="2")]],
            "different code: a, b, c and 1 more",
        ),
        ([[attempt(["/bin/python3", "train.py"])], [attempt(TRAIN)]], ""),
        ([[attempt(TRAIN)], [attempt(None)]], ""),  # has arguments of its own
        ([[attempt(TRAIN)], [attempt([*TRAIN, "x"])]], "different commands"),
        (
            [[attempt(TRAIN, model="a")], [attempt([*TRAIN, "x"], model="b")]],
            "different code: model and by different commands",
        ),
    ],
)
def test_what_differs_is_told(tmp_path: Path, made: list[list[Attempt]], told: str) -> None:
    runs = [run(tmp_path / str(at), *each, metrics={}) for at, each in enumerate(made)]
    assert describe_mixed_code(runs) == told


def test_runs_without_metrics_are_not_compared(tmp_path: Path) -> None:
    """A run that has failed, or is still pending, is in no mean."""
    made = [run(tmp_path / name, attempt(model=name), metrics=None) for name in "ab"]
    done = run(tmp_path / "c", attempt(model="c"), metrics={"loss": 1.0})
    assert describe_mixed_code([*made, done]) == ""
