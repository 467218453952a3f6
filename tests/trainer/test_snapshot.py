"""A snapshot stays as it was, whatever becomes of the state, and holds nothing that runs code."""

from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainer.digest import digest_of
from trainer.errors import CheckpointError
from trainer.snapshot import Snapshots


def state() -> dict[str, Any]:
    """Make a state of every kind of value."""
    return {
        "weights": nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict(),
        "strided": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
        "sparse": torch.eye(3).to_sparse(),
        "empty": torch.zeros(0),
        "leaf": torch.ones(2, requires_grad=True),
        "plain": [1, 2.5, "text", None, True, b"bytes", (1, {2})],
        3: {"nested": [torch.tensor(1), [torch.tensor(2)]]},
    }


def test_snapshot_has_the_values_of_the_state() -> None:
    """Shapes, kinds, order in memory and the versions of modules are kept."""
    original = state()
    copy = Snapshots().take(original).wait()
    sparse, its_copy = original.pop("sparse"), copy.pop("sparse")
    assert torch.equal(sparse.to_dense(), its_copy.to_dense())
    assert digest_of(copy) == digest_of(original)
    assert copy["strided"].stride() == original["strided"].stride()
    assert type(copy["weights"]) is OrderedDict
    assert copy["weights"]._metadata == original["weights"]._metadata
    assert not copy["leaf"].requires_grad


def test_state_may_change_when_its_snapshot_is_taken() -> None:
    """Neither tensors nor containers are shared with the state."""
    original = {"tensor": torch.zeros(3), "list": [1], "dict": {"a": [2]}}
    copy = Snapshots().take(original).wait()
    original["tensor"] += 1  # type: ignore[operator]
    original["list"].append(3)  # type: ignore[union-attr]
    original["dict"]["a"].append(4)  # type: ignore[call-overload]
    assert copy["tensor"].tolist() == [0, 0, 0]
    assert (copy["list"], copy["dict"]) == ([1], {"a": [2]})


def test_memory_is_used_again_where_it_fits() -> None:
    """A state of the same shape costs no new memory; another one gets its own."""
    snapshots = Snapshots()
    places = []
    for number in range(4):
        values = {"a": torch.full((3,), number), "b": torch.full((2,), number)}
        copy = snapshots.take(values).wait()
        assert {key: each.tolist() for key, each in copy.items()} == {
            "a": [number] * 3,
            "b": [number] * 2,
        }
        places.append(copy["a"].data_ptr())
    assert places[1] == places[2] == places[3]
    larger = snapshots.take({"a": torch.ones(3), "b": torch.ones(5), "c": torch.ones(1)}).wait()
    assert [larger[key].tolist() for key in "abc"] == [[1] * 3, [1] * 5, [1]]
    smaller = snapshots.take({"a": torch.zeros(3)}).wait()
    assert smaller["a"].tolist() == [0] * 3


def test_tensors_of_a_kind_lie_side_by_side_from_the_second_snapshot_on() -> None:
    """So that they are written in one piece, each where it may begin, in its order in memory."""
    snapshots = Snapshots()
    for _ in range(2):
        original = state()
        copy = snapshots.take(original).wait()
    floats = [copy["weights"]["0.weight"], copy["strided"], copy["leaf"]]
    assert len({each.untyped_storage().data_ptr() for each in floats}) == 1
    assert {each.data_ptr() % 64 for each in floats} == {0}
    assert torch.equal(copy["strided"], original["strided"])
    assert copy["strided"].stride() == original["strided"].stride()


@pytest.mark.parametrize("value", [np.float64(1), np.zeros(1), Path(), object(), {1: [Path()]}])
def test_state_that_could_not_be_loaded_is_refused(value: object) -> None:
    """The error comes before the state is needed, and says where the culprit is."""
    with pytest.raises(CheckpointError, match=r"^state\['x'\]"):
        Snapshots().take({"x": value})


def test_counts_stay_counts() -> None:
    """A schedule of milestones keeps them so."""
    counts = Counter([5, 5, 7])
    assert Snapshots().take({"milestones": counts}).wait() == {"milestones": counts}
