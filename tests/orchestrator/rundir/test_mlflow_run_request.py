"""A runner asks for the MLflow run of its attempt, and the reporter hears and answers."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from orchestrator.rundir.mlflow_run_request import (
    Answer,
    Bell,
    describe_problem,
    read_answer,
    ring,
    write_answer,
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return the path of a run directory in an experiment."""
    made = tmp_path / "results/first/training/0123456789abcdef"
    made.mkdir(parents=True)
    return made


def is_rung(bell: Bell) -> bool:
    return bool(select.select([*bell.descriptors], [], [], 0)[0])


def test_answer_is_read_as_it_was_written(run_dir: Path) -> None:
    assert read_answer(run_dir) is None
    for answer in (Answer(1, problem="no server"), Answer(2, mlflow_run_id="abc")):
        write_answer(run_dir, answer)
        assert read_answer(run_dir) == answer
    assert not list(run_dir.iterdir())  # it stands beside the run


@pytest.mark.parametrize("content", ["", "{", "[]", '{"attempt": "1"}', '{"attempt": 1}'])
def test_damaged_answer_is_none(run_dir: Path, content: str) -> None:
    write_answer(run_dir, Answer(1, "abc"))
    (path,) = run_dir.parents[1].glob("tracking/*.json")
    path.write_text(content)
    assert read_answer(run_dir) is None


def test_problem_is_described_for_its_attempt_only(run_dir: Path) -> None:
    assert describe_problem(run_dir, 1) == ()
    write_answer(run_dir, Answer(1, problem="no server"))
    assert describe_problem(run_dir, 1) == ("attempt 1 ran without MLFLOW_RUN_ID: no server",)
    assert describe_problem(run_dir, 2) == ()
    write_answer(run_dir, Answer(1, mlflow_run_id="abc"))
    assert describe_problem(run_dir, 1) == ()


def test_reporter_hears_who_rings_since_it_listens(run_dir: Path) -> None:
    ring(run_dir)  # nobody listens, and nobody waits
    bell = Bell(run_dir.parents[1])
    for _ in range(2):
        bell.listen()
    assert not is_rung(bell)
    ring(run_dir)
    ring(run_dir)
    assert is_rung(bell)
    bell.silence()
    assert not is_rung(bell)
    bell.close()
    ring(run_dir)


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_something_else_in_place_of_the_bell_is_left_alone(
    run_dir: Path, tmp_path: Path, kind: str
) -> None:
    """The reporter then looks at the runs from time to time, as for others."""
    place = run_dir.parents[1] / "tracking/bell"
    place.parent.mkdir()
    target = tmp_path / "precious"
    target.write_text("x")
    if kind == "file":
        place.write_text("x")
    elif kind == "link":
        place.symlink_to(target)
    else:
        place.mkdir()
    bell = Bell(run_dir.parents[1])
    bell.listen()
    ring(run_dir)
    assert bell.descriptors == ()
    assert target.read_text() == "x"
    assert kind != "file" or place.read_text() == "x"


def test_full_bell_holds_nobody_up(run_dir: Path) -> None:
    bell = Bell(run_dir.parents[1])
    bell.listen()
    (descriptor,) = bell.descriptors
    os.write(descriptor, b"!" * 65536)
    ring(run_dir)
    bell.close()
