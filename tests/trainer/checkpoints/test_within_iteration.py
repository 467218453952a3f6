"""The file of an iteration in progress is complete or absent, and there is one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from trainer.checkpoints.within_iteration import WithinIteration

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, iteration: int, value: float, fingerprint: str = "x") -> WithinIteration:
    """Write a state."""
    store = WithinIteration(folder, fingerprint)
    store.write(iteration, store.take({"value": torch.tensor(value)}))
    return store


def test_newest_state_of_the_iteration_is_found(tmp_path: Path) -> None:
    write(tmp_path, 3, 1.0)
    store = write(tmp_path, 3, 2.0)
    found = store.newest(3)
    assert found is not None
    assert found.state["value"] == 2.0
    assert store.newest(2) is store.newest(4) is None
    assert len([*tmp_path.iterdir()]) == 1


def test_state_of_another_run_or_a_damaged_one_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, 3, 1.0, "other")
    store = WithinIteration(tmp_path, "x")
    assert store.newest(3) is None
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert store.newest(3) is None
    said = capsys.readouterr().out
    assert "another configuration" in said
    assert "is damaged" in said


def test_nothing_is_left_when_all_is_saved(tmp_path: Path) -> None:
    store = write(tmp_path, 3, 1.0)
    store.remove()
    assert not [*tmp_path.iterdir()]
    WithinIteration(tmp_path / "missing", "x").remove()


def test_memory_is_used_again(tmp_path: Path) -> None:
    store = WithinIteration(tmp_path, "x")
    state = {"value": torch.zeros(1 << 18)}
    places = set()
    for iteration in (1, 2, 3):
        snapshot = store.take(state)
        places.add(snapshot.pickled.memories[0].piece.data_ptr())
        store.write(iteration, snapshot)
    assert len(places) == 1
