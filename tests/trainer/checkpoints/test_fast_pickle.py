"""A state is pickled once, with names for the memory of its tensors, and `torch.save` writes the rest."""

import errno
import io
import pickle
from typing import Any

import pytest
import torch

from trainer.checkpoints.fast_pickle import Memory, Pickled, pickle_of, place_of_unsavable
from trainer.durable_files import PAGE


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.bfloat16, torch.uint16])
def test_pickle_names_memory_as_pytorch_does(dtype: torch.dtype) -> None:
    """The dtypes that are younger than PyTorch's classes of storages are named in bytes."""
    pieces = [torch.ones(4).to(dtype), torch.zeros(6).to(dtype)]
    memories = [Memory(piece, number, "cpu") for number, piece in enumerate(pieces)]
    recipes = iter([memories[1].recipe_of(pieces[1][2:]), memories[0].recipe_of(pieces[0])])
    content = pickle_of([torch.ones(1), torch.ones(2)], lambda _: next(recipes))
    file = io.BytesIO()
    Pickled(content, memories).save(file)
    file.seek(0)
    first, second = torch.load(file, weights_only=True)
    assert torch.equal(first, pieces[1][2:])
    assert torch.equal(second, pieces[0])


def test_file_is_not_written_where_pytorch_has_other_names() -> None:
    """Tensors would be read from the memory of others."""
    memory = Memory(torch.ones(4), 7, "cpu")
    content = pickle_of([torch.ones(4)], lambda _: memory.recipe_of(memory.piece))
    with pytest.raises(RuntimeError, match=r"PyTorch calls .*'7', 'cpu', 4.*'0', 'cpu', 4"):
        Pickled(content, [memory]).save(io.BytesIO())


def test_error_of_the_file_is_raised() -> None:
    """PyTorch's own, that the file has another length than it thinks, would hide a full disk."""

    class Full(io.BytesIO):
        def write(self, content: Any) -> int:
            if len(content) > PAGE:
                raise OSError(errno.ENOSPC, "full")
            return len(content)

    memory = Memory(torch.ones(1 << 15), 0, "cpu")
    content = pickle_of(torch.ones(4), lambda _: memory.recipe_of(memory.piece))
    with pytest.raises(OSError, match="full"):
        Pickled(content, [memory]).save(Full())


def test_memory_is_read_to_the_device_that_it_names() -> None:
    """As with `torch.save`; `map_location` decides otherwise."""
    memory = Memory(torch.ones(4), 0, "cuda:3")
    content = pickle_of(torch.ones(4), lambda _: memory.recipe_of(memory.piece))
    file = io.BytesIO()
    Pickled(content, [memory]).save(file)
    file.seek(0)
    origins = []
    torch.load(file, lambda storage, origin: origins.append(origin) or storage, weights_only=True)
    assert origins == ["cuda:3"]


def test_only_the_bytes_of_tensors_are_missing_in_a_pickle() -> None:
    """What holds itself is pickled once; nothing of the state is shared."""
    state: dict[str, object] = {"a": [1, "b"]}
    state["itself"] = state
    copy = pickle.loads(pickle_of(state, lambda _: (set, ())))  # noqa: S301 - our own
    assert copy["itself"] is copy
    assert copy["a"] == [1, "b"]
    assert copy["a"] is not state["a"]


def test_value_that_cannot_be_found_is_still_reported() -> None:
    """A description of the place is better than another error."""
    cycle: list[object] = []
    cycle.append(cycle)
    assert place_of_unsavable(cycle) == (" somewhere", "value that cannot be saved")
    assert place_of_unsavable({"a": (1, {2: 1j})}) == ("['a'][1][2]", "builtins.complex")
