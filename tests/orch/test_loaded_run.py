"""Tests of a loaded run: its state, its files, whatever their condition, and its checkpoints."""

from __future__ import annotations

import fcntl
import math
import os
from pathlib import Path

import pytest

import orch
from orchestrator.rundir.program_files import read_reported
from orchestrator.rundir.run_metrics import read_outcome

from .run_dirs import make_run, point


@pytest.mark.parametrize(
    ("recorded", "locked", "state"),
    [
        ("done", True, "done"),
        ("running", True, "running"),
        ("running", False, "stale"),
        ("interrupted", False, "stale"),
        ("failed", True, "running"),
        ("what", False, "stale"),
    ],
)
def test_state_is_that_of_orch_status(
    tmp_path: Path, recorded: str, state: str, *, locked: bool
) -> None:
    """Whether a run lives is the lock's answer."""
    run = make_run(tmp_path, "a", {}, status={"state": recorded})
    descriptor = os.open(run / "run.lock", os.O_RDWR)
    if locked:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert orch.load(tmp_path).runs[0].state == state
    os.close(descriptor)


@pytest.mark.parametrize("content", [b"", b'{"schema": 1, "sta', b"[]", b'{"state": 3}'])
def test_run_whose_status_is_damaged_is_stale(tmp_path: Path, content: bytes) -> None:
    run = make_run(tmp_path, "a", {})
    assert orch.load(tmp_path).runs[0].state == "pending"
    (run / "status.json").write_bytes(content)
    assert orch.load(tmp_path).runs[0].state == "stale"


def test_metrics_are_joined_from_all_files_of_a_program(tmp_path: Path) -> None:
    """The progress wins over points, a test result over neither; what is not a metric hides none."""
    make_run(
        tmp_path,
        "a",
        {},
        status={"state": "done"},
        progress={"metrics": {"epochs": 3, "loss": 0.5, "lr": None}},
        results={"test": {"accuracy": 0.9, "loss": [1]}},
        metrics=[point("loss", 1, 2.0), point("lr", 1, 0.1), point("accuracy", 1, 0.8)],
    )
    (loaded,) = orch.load(tmp_path)
    logged = {"epochs": 3, "loss": 0.5, "lr": 0.1, "accuracy": 0.8}
    assert loaded.metrics == {**logged, "test/accuracy": 0.9}


@pytest.mark.parametrize(
    ("counted", "files", "iteration"),
    [
        ((), {}, 7),
        ((7,), {}, 5),
        ((5, 7), {}, 7),
        ((), {"progress": {"iteration": 3, "iterations": 9}}, 3),
        ((), {"progress": {"iteration": "?"}}, None),
    ],
)
def test_iteration_without_progress_is_the_last_step_as_in_orch_status(
    tmp_path: Path, counted: tuple[int, ...], files: dict[str, object], iteration: int | None
) -> None:
    """As of a program whose metrics are read from its output, where mere counts are not steps."""
    points = [
        {**point("loss", step, 0.5), **({"counted": True} if step in counted else {})}
        for step in (5, 7)
    ]
    run = make_run(tmp_path, "a", {}, metrics=[*points, {"key": "torn"}], **files)
    assert orch.load(tmp_path).runs[0].iteration == iteration
    progress, outcome = read_reported(str(run))
    assert iteration == (progress.iteration if progress else outcome.last_step)


@pytest.mark.parametrize(
    ("logged", "tested", "metrics"),
    [
        ({"a": 1}, {"a": 2}, {"a": 1, "test/a": 2}),
        ({"a": 1}, {"test/a": 3, "a": 2}, {"a": 1, "test/a": 3}),
        ({"a": 1, "test/a": 3}, {"a": 2}, {"a": 1, "test/a": 3}),
        ({"test/a": 1}, {"test/a": 2}, {"test/a": 2}),
        ({"b": 1}, {"a": 2}, {"a": 2, "b": 1}),
    ],
)
def test_test_result_and_training_metric_of_a_name_are_told_apart(
    tmp_path: Path, logged: dict[str, int], tested: dict[str, int], metrics: dict[str, int]
) -> None:
    """Under the names that the tables of ``orch`` have."""
    results = {"test": tested}
    path = make_run(tmp_path, "a", {}, progress={"metrics": logged}, results=results)
    (loaded,) = orch.load(tmp_path)
    assert loaded.metrics == metrics
    files = [path / name for name in ("metrics.jsonl", "results.json")]
    assert read_outcome({"metrics": logged}, *files).figures == metrics


def test_last_number_of_each_metric_counts(tmp_path: Path) -> None:
    """However its lines are written, and whether or not the progress tells the metric."""
    run = make_run(tmp_path, "a", {}, status={"state": "done"}, progress={"metrics": {"lr": 1}})
    lines = [
        '{"key": "loss", "value": 1, "step": 1}',
        '{"step": 2, "value": 2, "key": "loss"}',
        '{"key": "lr", "value": 9, "step": 2}',
        '{"value": 9, "step": 2, "key": "lr"}',
        '{"key": "best", "value": "NaN", "step": 1}',
        '{"key": "b", "value": 3, "step": 1}',
        '{"key": "b", "value": "n/a", "step": 2}',
        '{"key": "b", "value": 5, "step": "2"}',
        '{"key": "phase", "value": "warm-up", "step": 1}',
        '{"key": "\\u00e9\\"", "value": 4, "step": 1}',
        "[]",
        '{"key": "loss", "value": 4, "st',
    ]
    (run / "metrics.jsonl").write_text("\n".join(lines))
    (loaded,) = orch.load(tmp_path)
    expected = {"lr": 1, "loss": 2, "best": math.nan, "b": 3, 'é"': 4}
    assert loaded.metrics == pytest.approx(expected, nan_ok=True)
    assert [*loaded.metrics] == [*expected]


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_files_that_are_not_regular_are_not_opened(tmp_path: Path, kind: str) -> None:
    """A pipe would wait for a writer forever."""
    run = make_run(tmp_path, "a", {})
    (tmp_path / "other").write_text('{"metrics": {"loss": 1}}')
    for name in ("run.json", "status.json", "progress.json", "results.json", "metrics.jsonl"):
        if kind == "pipe":
            os.mkfifo(run / name)
        elif kind == "folder":
            (run / name).mkdir()
        else:
            (run / name).symlink_to(tmp_path / "other")
    (loaded,) = orch.load(tmp_path)
    assert (loaded.state, loaded.metrics, list(loaded.points())) == ("stale", {}, [])


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff", b'{"metrics": 3, "test": []}'])
def test_damaged_files_count_as_missing(tmp_path: Path, damage: bytes) -> None:
    run = make_run(tmp_path, "a", {"lr": 1})
    for name in ("run.json", "status.json", "progress.json", "results.json", "metrics.jsonl"):
        (run / name).write_bytes(damage)
    (loaded,) = orch.load(tmp_path)
    assert (loaded.metrics, loaded.overrides, loaded.iteration) == ({}, {}, None)
    assert list(loaded.points()) == []
    assert loaded.config == {"lr": 1}


def test_checkpoints_are_found(tmp_path: Path) -> None:
    """Those of the trainer by their names, those of other programs by their age."""
    run = make_run(tmp_path, "a", {})
    (loaded,) = orch.load(tmp_path)
    assert loaded.checkpoint() is loaded.checkpoint("best") is None
    folder = run / "checkpoints"
    folder.mkdir()
    (folder / "state.json").touch()
    (folder / "newer.tmp").touch()
    assert loaded.checkpoint() == folder / "state.json"
    for name in ("000002-aa.pt", "000010-ab.pt", "best.pt"):
        (folder / name).touch()
    assert loaded.checkpoint() == folder / "000010-ab.pt"
    assert loaded.checkpoint("best") == folder / "best.pt"
    with pytest.raises(ValueError, match="'best' or 'last'"):
        loaded.checkpoint("first")
