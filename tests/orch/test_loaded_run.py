"""Tests of a loaded run: its state, its files, whatever their condition, and its checkpoints."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

import orch

from .run_dirs import make_run


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
