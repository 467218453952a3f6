"""A snapshot stays as it was, whatever becomes of the state, and holds nothing that runs code."""

import io
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing._internal.two_tensor import TwoTensor

from trainer.checkpoints.snapshot import SMALL, Snapshot, Snapshots, check_loadable
from trainer.durable_files import DIRECT, PAGE
from trainer.errors import CheckpointError
from trainer.state_digest import digest_of


def read(snapshot: Snapshot) -> Any:
    """Read what would be on the disk."""
    file = io.BytesIO()
    snapshot.save(file)
    file.seek(0)
    with torch.serialization.safe_globals([bytes]):
        return torch.load(file, weights_only=True)


def places(snapshot: Snapshot) -> list[int]:
    """Return where the snapshot's memory is."""
    return [each.untyped_storage().data_ptr() for each in snapshot.room.copies]


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
        snapshots.give_back(snapshot)
    assert found[0] == found[1] == found[2] == found[3]
    for values in (
        {"a": torch.ones(3), "b": torch.ones(5), "c": torch.ones(1)},
        {"a": torch.zeros(3)},
        {"a": torch.zeros(3), "d": torch.ones(2, dtype=torch.int64)},
    ):
        snapshot = snapshots.take(values)
        assert digest_of(read(snapshot)) == digest_of(values)
        snapshots.give_back(snapshot)


def test_memory_that_is_still_needed_is_not_used() -> None:
    """Several copies may be on their way to the disk."""
    snapshots = Snapshots()
    taken = [snapshots.take({"a": torch.full((3,), number)}) for number in range(3)]
    assert [read(each)["a"].tolist() for each in taken] == [[0] * 3, [1] * 3, [2] * 3]


def test_what_is_there_twice_is_saved_once() -> None:
    """As PyTorch does it, also where a list holds itself."""
    tensor = torch.ones(1024)
    inner: list[object] = [tensor]
    inner.append(inner)
    snapshot = Snapshots().take({"a": tensor, "b": tensor, "c": inner})
    copy = read(snapshot)
    assert copy["a"] is copy["b"] is copy["c"][0]
    assert copy["c"][1] is copy["c"]
    assert snapshot.size == tensor.nbytes


def records(snapshot: Snapshot) -> list[str]:
    """Return the names of the pieces of memory in the file."""
    file = io.BytesIO()
    snapshot.save(file)
    return [name for name in ZipFile(file).namelist() if "/data/" in name]


def test_small_tensors_of_a_kind_are_one_record() -> None:
    """Each record takes time; a large tensor does not have to be moved for that."""
    large = SMALL // 4 + 1
    state = {"a": torch.ones(3), "b": torch.ones(large), "c": torch.zeros(2), "d": torch.tensor(1)}
    snapshots = Snapshots()
    for _ in range(2):
        snapshot = snapshots.take(state)
        assert len(records(snapshot)) == len(["a and c", "b", "d"])
        snapshots.give_back(snapshot)


def test_tensors_share_pieces_that_are_large_and_limited() -> None:
    """Large ones are written directly, of limited ones a reader holds few besides the tensors.

    A small tensor that grows does not have a gigabyte allocated again.
    """
    weights = [torch.empty(SMALL // 4) for _ in range(17)]
    state = {"a": weights, "b": torch.empty(SMALL), "c": torch.arange(3)}
    snapshots = Snapshots()
    first = snapshots.take(state)
    assert [each.piece.nbytes // SMALL for each in first.pickled.memories] == [16, 1, 4, 0]
    snapshots.give_back(first)
    second = snapshots.take(state | {"c": torch.arange(4), "d": torch.ones(1)})
    before, after = places(first), places(second)
    assert (after[:16], after[17]) == (before[:16], before[17])


def test_file_is_that_of_torch_save_but_for_its_memory() -> None:
    """A plain `torch.load` reads it, whatever it was told to execute."""
    original = state()
    file = io.BytesIO()
    Snapshots().take(original).save(file)
    with ZipFile(file) as ours:
        names = {name.partition("/")[2] for name in ours.namelist()}
    other = io.BytesIO()
    torch.save(original, other)
    with ZipFile(other) as theirs:
        known = {name.partition("/")[2] for name in theirs.namelist()}
    assert names <= known
    assert {name for name in known - names if not name.startswith("data/")} == set()
    file.seek(0)
    plainly = torch.load(file, weights_only=False)
    assert shown(plainly["strided"]) == shown(original["strided"])


def test_check_refuses_what_taking_refuses() -> None:
    """Before the first iteration, of which nothing is copied."""
    check_loadable(state())
    with pytest.raises(CheckpointError, match=r"^state\['x'\]\[0\] is a builtins.object"):
        check_loadable({"x": [object()]})


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
def test_a_copy_says_what_the_state_says(states: list[Any]) -> None:
    """For everything of which a state may be made, whatever was copied to the same memory before."""
    snapshots = Snapshots()
    for each in (*states, *states):
        file = io.BytesIO()
        torch.save({"it": each}, file)
        file.seek(0)
        snapshot = snapshots.take({"it": each})
        assert shown(read(snapshot)) == shown(torch.load(file, weights_only=True))
        snapshots.give_back(snapshot)


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


def test_complex_is_named_among_harmless_values() -> None:
    """What a state may hold is said in one place."""
    state: dict[str, Any] = {"layout": torch.strided, "dtype": torch.float32, "complex": 1j}
    with pytest.raises(CheckpointError, match=r"^state\['complex'\] is a builtins.complex"):
        Snapshots().take(state)


def test_attribute_that_could_not_be_loaded_is_refused_too() -> None:
    """PyTorch keeps the versions of modules in one."""
    state: dict[str, Any] = {"model": OrderedDict(weight=torch.ones(1))}
    state["model"].strange = 1j
    with pytest.raises(CheckpointError, match=r"^state\['model'\]\['strange'\] is a .*complex"):
        Snapshots().take(state)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantized"),
        (lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "nested"),
        (lambda: torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged), "nested"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensor_without_plain_memory_is_named_as_what_it_is(
    make: Callable[[], Tensor], kind: str
) -> None:
    """`torch.Tensor` would not tell what is wrong with it."""
    with pytest.raises(CheckpointError, match=rf"^state\['x'\]\[1\] is a {kind} tensor\. Keep"):
        Snapshots().take({"x": (1, make())})


@pytest.mark.parametrize(
    "convert",
    [
        Tensor.to_sparse,
        Tensor.to_sparse_csr,
        Tensor.to_sparse_csc,
        lambda tensor: tensor.to_sparse_bsr((2, 2)),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_sparse_tensors_of_all_layouts_are_kept(convert: Callable[[Tensor], Tensor]) -> None:
    """Copied: the state may change."""
    tensor = convert(torch.eye(4))
    snapshot = Snapshots().take({"x": tensor})
    tensor.mul_(7)
    copy = read(snapshot)["x"]
    assert copy.layout is tensor.layout
    assert torch.equal(copy.to_dense(), torch.eye(4))


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
    """The error comes before the state is needed, and says where the value is."""
    with pytest.raises(CheckpointError, match=r"^state\['x'\]"):
        Snapshots().take({"x": value})


def test_counts_stay_counts() -> None:
    """A schedule of milestones keeps them so."""
    counts = Counter([5, 5, 7])
    assert read(Snapshots().take({"milestones": counts})) == {"milestones": counts}


def test_large_memory_begins_with_a_page_in_the_process_and_in_the_file() -> None:
    """So that it is written from there to the disk."""
    snapshot = Snapshots().take({"large": torch.rand(DIRECT // 4 + 1), "small": torch.ones(3)})
    memory = max((each.piece for each in snapshot.pickled.memories), key=lambda each: each.nbytes)
    assert memory.data_ptr() % PAGE == 0
    file = io.BytesIO()
    snapshot.save(file)
    assert file.getvalue().find(memory.numpy().tobytes()) % PAGE == 0
    assert ZipFile(file).testzip() is None


def test_small_memory_is_not_moved_to_pages_of_the_file() -> None:
    """Files of small states would grow by several of them."""
    file = io.BytesIO()
    Snapshots().take({"small": [torch.ones(3)] * 2}).save(file)
    assert len(file.getvalue()) < PAGE
