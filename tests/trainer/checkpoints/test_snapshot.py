"""A snapshot stays as it was, whatever becomes of the state, and holds nothing that runs code."""

import io
from collections import Counter, OrderedDict, defaultdict
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing._internal.two_tensor import TwoTensor

from trainer.checkpoints.snapshot import Snapshot, Snapshots
from trainer.digest import digest_of
from trainer.errors import CheckpointError


def read(snapshot: Snapshot) -> Any:
    """Read what would be on the disk."""
    return torch.load(io.BytesIO(b"".join(snapshot.pieces())), weights_only=True)


def places(snapshot: Snapshot) -> list[int]:
    """Return where the snapshot's memory is."""
    return [np.frombuffer(each.content, np.uint8).ctypes.data for each in snapshot.memories]


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
    copy = read(Snapshots().take(original))
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
    copy = read(Snapshots().take(original))
    original["tensor"] += 1  # type: ignore[operator]
    original["list"].append(3)  # type: ignore[union-attr]
    original["dict"]["a"].append(4)  # type: ignore[call-overload]
    assert copy["tensor"].tolist() == [0, 0, 0]
    assert (copy["list"], copy["dict"]) == ([1], {"a": [2]})


def test_memory_is_used_again_where_it_fits() -> None:
    """A state of the same shape costs no new memory; another one gets its own."""
    snapshots = Snapshots()
    found = []
    for number in range(4):
        values = {"a": torch.full((3,), number), "b": torch.full((2,), number)}
        snapshot = snapshots.take(values)
        assert digest_of(read(snapshot)) == digest_of(values)
        found.append(places(snapshot))
    assert found[1] == found[2] == found[3]
    for values in (
        {"a": torch.ones(3), "b": torch.ones(5), "c": torch.ones(1)},
        {"a": torch.zeros(3)},
        {"a": torch.zeros(3), "d": torch.ones(2, dtype=torch.int64)},
    ):
        assert digest_of(read(snapshots.take(values))) == digest_of(values)


def test_tensors_of_a_kind_lie_side_by_side_from_the_second_snapshot_on() -> None:
    """So that they are written in one piece, each where it may begin, in its order in memory."""
    snapshots = Snapshots()
    for _ in range(2):
        original = state()
        snapshot = snapshots.take(original)
    copy = read(snapshot)
    floats = [copy["weights"]["0.weight"], copy["strided"], copy["leaf"]]
    assert len({each.untyped_storage().data_ptr() for each in floats}) == 1
    assert {each.storage_offset() * each.itemsize % 64 for each in floats} == {0}
    assert torch.equal(copy["strided"], original["strided"])
    assert copy["strided"].stride() == original["strided"].stride()


def shown(value: object) -> object:
    """Show all of a value that a snapshot keeps, so that two of them can be compared."""
    if isinstance(value, Tensor):
        plain = value.double() if value.dtype.is_floating_point else value
        return type(value), value.dtype, value.shape, value.requires_grad, plain.tolist()
    if isinstance(value, dict):
        return type(value), getattr(value, "__dict__", {}), shown([*value.items()])
    if isinstance(value, (list, tuple)):
        return type(value), [shown(each) for each in value]
    return type(value), value


def tensors() -> st.SearchStrategy[Tensor]:
    """Make tensors of many kinds, some of which are views of a larger piece of memory."""
    kinds = [
        *(torch.float32, torch.float64, torch.bfloat16, torch.float8_e4m3fn, torch.complex64),
        *(torch.int64, torch.uint8, torch.uint16, torch.uint64, torch.bool),
    ]
    sizes = st.lists(st.integers(0, 4), max_size=3)

    def make(dtype: torch.dtype, size: list[int], *, is_turned: bool, is_cut: bool) -> Tensor:
        whole = torch.arange(200).to(dtype)
        count = prod(size)
        part = (whole[7 : 7 + count] if is_cut else whole[:count].clone()).reshape(size)
        return part.permute([*reversed(range(len(size)))]) if is_turned else part

    return st.builds(
        make, st.sampled_from(kinds), sizes, is_turned=st.booleans(), is_cut=st.booleans()
    )


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(min_size=1, max_size=5)
    | st.sampled_from([torch.float32, torch.Size([2, 3]), torch.device("cpu")])
    | tensors()
)
KEYS = st.text(max_size=3) | st.integers(0, 5)
STATES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4).map(OrderedDict)
        | st.dictionaries(KEYS, st.integers(), max_size=4).map(Counter)
        | st.sets(st.integers() | st.text(max_size=3), max_size=3)
    ),
    max_leaves=20,
)


@given(st.lists(STATES, min_size=1, max_size=3))
def test_a_file_of_ours_says_what_one_of_pytorchs_says(states: list[Any]) -> None:
    """For everything of which a state may be made, whatever was copied to the same memory before."""
    snapshots = Snapshots()
    for each in (*states, *states):
        file = io.BytesIO()
        torch.save(each, file)
        file.seek(0)
        assert shown(read(snapshots.take(each))) == shown(torch.load(file, weights_only=True))


@pytest.mark.parametrize(
    "tensor",
    [
        nn.Parameter(torch.ones(2)),
        torch.tensor([1 + 2j]).conj(),
        torch.tensor([1 + 2j]).conj().imag,
        torch.ones(2, 3).expand(4, 2, 3),
        torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1)[:, 1:],
        torch.tensor(5),
        torch.zeros(0, 3),
    ],
)
def test_values_of_special_tensors_are_kept(tensor: Tensor) -> None:
    """In an ordinary tensor, wherever its copy is."""
    snapshots = Snapshots()
    for _ in range(3):
        copy = read(snapshots.take({"tensor": tensor, "other": torch.ones(3)}))["tensor"]
        assert type(copy) is Tensor
        assert copy.dtype == tensor.dtype
        assert torch.equal(copy, tensor)


def test_tensor_made_of_others_is_refused() -> None:
    """What seems to be its memory is somebody else's."""
    wrapper = TwoTensor(torch.ones(2), torch.zeros(2))
    with pytest.raises(CheckpointError, match=r"^state\['x'\]\['y'\] is a .*TwoTensor"):
        Snapshots().take({"x": {"y": wrapper}})


def test_culprit_is_named_among_harmless_values() -> None:
    """What a state may hold is said in one place."""
    state: dict[str, Any] = {"layout": torch.strided, "dtype": torch.float32, "culprit": 1j}
    with pytest.raises(CheckpointError, match=r"^state\['culprit'\] is a builtins.complex"):
        Snapshots().take(state)


def test_attribute_that_could_not_be_loaded_is_refused_too() -> None:
    """PyTorch keeps the versions of modules in one; there is no place to name."""
    state: dict[str, Any] = {"model": OrderedDict(weight=torch.ones(1))}
    state["model"].strange = 1j
    with pytest.raises(CheckpointError, match=r"^state has a .*complex.* somewhere"):
        Snapshots().take(state)


def test_loaded_tensors_share_no_hooks() -> None:
    """A hook on one of them is none on the other."""
    copy = read(Snapshots().take({"a": torch.ones(2), "b": torch.ones(2)}))
    for each in copy.values():
        each.requires_grad_()
    copy["a"].register_hook(lambda gradient: gradient * 2)
    (copy["a"] + copy["b"]).sum().backward()
    assert (copy["a"].grad.tolist(), copy["b"].grad.tolist()) == ([2, 2], [1, 1])


@pytest.mark.parametrize(
    "value",
    [
        np.float64(1),
        np.zeros(1),
        Path(),
        object(),
        {1: [Path()]},
        nn.Linear,
        torch.save,
        frozenset([1]),
        1j,
        defaultdict(int),
        ...,
    ],
)
def test_state_that_could_not_be_loaded_is_refused(value: object) -> None:
    """The error comes before the state is needed, and says where the culprit is."""
    with pytest.raises(CheckpointError, match=r"^state\['x'\]"):
        Snapshots().take({"x": value})


def test_counts_stay_counts() -> None:
    """A schedule of milestones keeps them so."""
    counts = Counter([5, 5, 7])
    assert read(Snapshots().take({"milestones": counts})) == {"milestones": counts}
