"""What our pickler writes, PyTorch reads, and finds what it finds in a file of its own."""

import io
import pickle
from collections import Counter, OrderedDict
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from trainer import pickling


def saved(state: object, pickle_module: ModuleType) -> bytes:
    file = io.BytesIO()
    torch.save(state, file, pickle_module=pickle_module)
    return file.getvalue()


def back(state: object, pickle_module: ModuleType = pickling) -> Any:
    return torch.load(io.BytesIO(saved(state, pickle_module)), weights_only=True)


def shown(value: object) -> object:
    """Show all of a value that a file can keep, so that two of them can be compared."""
    if isinstance(value, Tensor):
        kind = (value.dtype, value.layout, value.shape, value.requires_grad)
        bits = (value.is_conj(), value.is_neg(), vars(value))
        if value.layout is not torch.strided:
            return type(value), kind, bits, value.to_dense().tolist()
        place = (value.stride(), value.storage_offset(), value.untyped_storage().nbytes())
        return type(value), kind, bits, place, value.tolist()
    if isinstance(value, dict):
        return type(value), getattr(value, "__dict__", {}), shown([*value.items()])
    if isinstance(value, (list, tuple)):
        return type(value), [shown(each) for each in value]
    return type(value), value


def tensors() -> st.SearchStrategy[Tensor]:
    """Make tensors of many kinds, some of which are views of a larger piece of memory."""
    kinds = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
    sizes = st.lists(st.integers(0, 4), max_size=3)

    def make(dtype: torch.dtype, size: list[int], *, turned: bool, cut: bool) -> Tensor:
        whole = torch.arange(200).to(dtype)
        count = int(np.prod(size))
        part = (whole[7 : 7 + count] if cut else whole[:count].clone()).reshape(size)
        return part.permute(*reversed(range(len(size)))) if turned else part

    return st.builds(make, st.sampled_from(kinds), sizes, turned=st.booleans(), cut=st.booleans())


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5)
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
    ),
    max_leaves=20,
)


@given(STATES)
def test_file_says_what_one_of_pytorchs_says(state: object) -> None:
    """For everything of which a state may be made, wherever it stands."""
    assert shown(back(state)) == shown(back(state, pickle))


@pytest.mark.parametrize(
    "state",
    [
        nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict(),
        nn.Parameter(torch.ones(2)),
        torch.ones(2, requires_grad=True),
        torch.eye(3).to_sparse(),
        torch.tensor([1 + 2j]).conj(),
        torch.tensor([1 + 2j]).conj().imag,
        torch.ones(2, 3).expand(4, 2, 3),
        torch.tensor(5),
    ],
)
def test_special_tensors_stay_special(state: object) -> None:
    """They are left to PyTorch."""
    assert shown(back(state)) == shown(back(state, pickle))


def test_tensors_that_share_memory_do_so_in_the_file() -> None:
    """A change of one changes the other, and the memory is stored once."""
    whole = torch.zeros(10_000)
    state = {"whole": whole, "part": whole[5:7], "again": whole}
    content = saved(state, pickling)
    assert len(content) < 2 * whole.nbytes
    found = torch.load(io.BytesIO(content), weights_only=True)
    found["whole"][5] = 1
    assert found["part"].tolist() == [1, 0]
    assert found["again"] is found["whole"]


def test_memory_that_begins_at_one_place_may_have_two_lengths() -> None:
    """As arrays of NumPy's do: each is stored whole."""
    array = np.arange(5.0)
    found = back([torch.from_numpy(array[:2]), torch.from_numpy(array)])
    assert [each.tolist() for each in found] == [[0, 1], [0, 1, 2, 3, 4]]


def test_memory_of_two_kinds_is_refused_as_pytorch_does() -> None:
    """No reader could make it again."""
    bits = torch.ones(4, dtype=torch.float32)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        saved([bits, bits.view(torch.int32)], pickling)
