"""Tests of orch.load: what a notebook sees of runs is what their files say."""

from __future__ import annotations

import fcntl
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

import orch
from orch.grid import LoadedGrid

pandas = pytest.importorskip("pandas")


def _make(folder: Path, run_id: str, config: dict[str, Any], **files: Any) -> Path:
    run = folder / "training" / run_id.ljust(16, "0")
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (run / "run.lock").touch()
    for name, content in files.items():
        if isinstance(content, list):
            lines = "".join(f"{json.dumps(point)}\n" for point in content)
            (run / f"{name}.jsonl").write_text(lines)
        else:
            (run / f"{name}.json").write_text(json.dumps(content))
    return run


def _point(key: str, step: int, value: Any) -> dict[str, Any]:
    return {"key": key, "step": step, "value": value, "timestamp": step}


@pytest.fixture
def grid(tmp_path: Path) -> LoadedGrid:
    """Return three runs: one done by the trainer, one of a script, one that never began."""
    model = {"name": "mlp", "sizes": [8, 8]}
    _make(
        tmp_path,
        "aa",
        {"model": model, "lr": 0.1, "seed": 0},
        run={"overrides": {"lr": 0.1}},
        status={"state": "done"},
        progress={"iteration": 3, "iterations": 3, "metrics": {"loss": 0.5, "lr": 0.01}},
        results={"test": {"test/acc": 0.9}, "best": {"iteration": 2, "val": "NaN"}},
        metrics=[_point("loss", 1, 0.9), _point("loss", 2, 0.7), _point("loss", 2, 0.6)],
    )
    _make(
        tmp_path,
        "ab",
        {"model": {**model, "sizes": [8, 16]}, "lr": 0.2, "seed": 0},
        status={"state": "failed"},
        metrics=[_point("loss", 1, 2), _point("loss", 2, True), {"key": 7}, _point("x", 1, "y")],
    )
    _make(tmp_path, "b", {"model": model, "lr": 0.1, "seed": 0})
    (tmp_path / "training" / "notes").mkdir()
    return orch.load(tmp_path)


def test_frame_has_the_keys_that_differ_and_the_metrics(grid: LoadedGrid) -> None:
    """A config key with the name of a metric is kept apart from it."""
    frame = grid.frame()
    assert list(frame.index) == [run.id for run in grid] == [f"{x:0<16}" for x in ("aa", "ab", "b")]
    assert list(frame["state"]) == ["done", "failed", "pending"]
    assert list(frame["model.sizes.1"]) == [8, 16, 8]
    assert list(frame["config.lr"]) == [0.1, 0.2, 0.1]
    assert "seed" not in frame
    assert frame["test/acc"].iloc[0] == 0.9
    assert list(frame["loss"].iloc[:2]) == [0.5, 1.0]
    assert frame["lr"].iloc[0] == 0.01
    assert math.isnan(frame["best/val"].iloc[0])


def test_curves_have_each_point_once(grid: LoadedGrid) -> None:
    """The last value of a metric at a step counts; lines that are no points do not."""
    curves = grid.curves()
    assert [tuple(row) for row in curves[["key", "step", "value"]].itertuples(index=False)] == [
        *(("loss", 1, 0.9), ("loss", 2, 0.6)),
        *(("loss", 1, 2.0), ("loss", 2, 1.0)),
    ]
    assert len(curves.merge(grid.frame(), on="run_id")) == 4


def test_run_is_found_by_the_start_of_its_id(grid: LoadedGrid) -> None:
    assert grid["aa"].overrides == {"lr": 0.1}
    for name in ("a", "c"):
        with pytest.raises(KeyError, match="run IDs start with"):
            grid[name]


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
    run = _make(tmp_path, "a", {}, status={"state": recorded})
    descriptor = os.open(run / "run.lock", os.O_RDWR)
    if locked:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert orch.load(tmp_path).runs[0].state == state
    os.close(descriptor)


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff", b'{"metrics": 3, "test": []}'])
def test_damaged_files_count_as_missing(tmp_path: Path, damage: bytes) -> None:
    run = _make(tmp_path, "a", {"lr": 1})
    for name in ("run.json", "status.json", "progress.json", "results.json", "metrics.jsonl"):
        (run / name).write_bytes(damage)
    (loaded,) = orch.load(tmp_path)
    assert (loaded.metrics, loaded.overrides, loaded.iteration) == ({}, {}, None)
    assert list(loaded.points()) == []
    assert loaded.config == {"lr": 1}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb:\n  c: [1, 2]\n",
        "# a comment\na: 1\n",
        "a: &x [1]\nb: *x\n",
        "a: |\n  b: 1\nc: 2\n",
        "? a\n: 1\n",
        "{a: 1}\n",
        "a:\n- 1\n- b: 2\n",
        "'a b': 1\n",
        "",
    ],
)
def test_config_is_what_a_yaml_parser_reads(tmp_path: Path, text: str) -> None:
    """Sections are parsed one by one where that is the same."""
    run = _make(tmp_path, "a", {})
    (run / "config.yaml").write_text(text)
    assert orch.load(tmp_path).runs[0].config == (yaml.safe_load(text) or {})


def test_checkpoints_are_found(tmp_path: Path) -> None:
    """Those of the trainer by their names, those of other programs by their age."""
    run = _make(tmp_path, "a", {})
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


def test_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        orch.load(tmp_path / "digtis")
    with pytest.raises(ValueError, match="it has no runs"):
        orch.load(tmp_path)
