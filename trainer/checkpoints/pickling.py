"""Owns how a state becomes a pickle, apart from the memory of its tensors.

In PyTorch's files a tensor is a view of a piece of memory that has a number. `torch.save` describes
both anew for each tensor, each time; here the description was made when the tensor got its room, and
is looked up: that takes a third of the time.
"""

from __future__ import annotations

import _codecs
import pickle
from collections import Counter, OrderedDict
from types import BuiltinFunctionType, FunctionType
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch._utils import _rebuild_sparse_tensor, _rebuild_tensor_v2, _rebuild_tensor_v3
from torch.serialization import _get_layout
from torch.storage import TypedStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    # What stands for a piece of memory in PyTorch's files.
    Name = tuple[str, type, str, str, int]

PROTOCOL = 2  # of pickle; what PyTorch reads without running code
# What pickle writes by itself, what it asks its values how to write, and what may hold more.
ATOMS = {type(None), bool, int, float, str, bytes}
TELLING = {torch.Size, torch.dtype, torch.device, torch.layout}
CONTAINERS = {dict, OrderedDict, Counter, list, tuple, set}
# What stands in a pickle for what it makes; PyTorch calls nothing else unasked.
MAKERS = {
    *(_rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_sparse_tensor, _get_layout),
    *(_codecs.encode, bytes, set, OrderedDict, Counter, torch.Size, torch.device),
}


class Strange(Exception):  # noqa: N818 - no error yet
    """Say that a value of a type could not be loaded without running code."""


class Memory:
    """Be a piece of memory, in which copies of tensors of one data type lie on the CPU.

    Args:
        piece: All of it, as a tensor.
        origin: Where the tensors are that it has copies of, in the words of PyTorch's files.
    """

    def __init__(self, piece: Tensor, origin: str) -> None:
        storage = piece.untyped_storage()
        flat = torch.empty(0, dtype=torch.uint8).set_(storage)
        self.content: memoryview = flat.numpy().data
        self.kind, itemsize = kind_of_memory(storage, piece.dtype)
        self.origin = origin
        self._length = storage.nbytes() // itemsize
        self.name: Name | None = None

    def give_number(self, number: int) -> None:
        """Take part in a state as its piece of that number."""
        self.name = ("storage", self.kind, str(number), self.origin, self._length)


def origin_of(tensor: Tensor) -> str:
    """Return where a tensor is, in the words of PyTorch's files: `cpu`, or `cuda:0`."""
    return "cpu" if tensor.device.type == "cpu" else str(tensor.device)


def kind_of_memory(storage: torch.UntypedStorage, dtype: torch.dtype) -> tuple[type, int]:
    """Return the class that PyTorch's files name for memory, and the size of what it counts, in bytes.

    Data types that are younger than these classes are kept in memory that has none.
    """
    typed = TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)  # type: ignore[no-untyped-call]
    try:
        name = typed._pickle_storage_type()  # type: ignore[no-untyped-call]  # noqa: SLF001 - it has no other
    except KeyError:
        return torch.UntypedStorage, 1
    return getattr(torch, name), dtype.itemsize


class Room:
    """Be where a tensor's copy is: a view of a piece of memory."""

    def __init__(self, copy: Tensor, memory: Memory) -> None:
        self.copy = copy
        self.memory = memory
        # Neither a gradient nor hooks.
        rest = (copy.storage_offset(), tuple(copy.shape), copy.stride(), False, None)
        self.made_by: tuple[Any, ...] = (_rebuild_tensor_v2, (memory, *rest))
        if memory.kind is torch.UntypedStorage:
            self.made_by = (_rebuild_tensor_v3, (memory, *rest, copy.dtype))


class StatePickler(pickle.Pickler):
    """Pickle a state, but for the memory of its tensors.

    Args:
        file: Where the pickle goes.
        find_room: Copies a tensor, and returns where to; its memory has its number by then.

    Raises:
        Strange: By `dump`, if a value could not be loaded without running code.
    """

    def __init__(self, file: IO[bytes], find_room: Callable[[Tensor], Room]) -> None:
        super().__init__(file, PROTOCOL)
        self._find_room = find_room

    def persistent_id(self, value: object) -> Name | None:
        """Return the name of memory; nothing else has one."""
        return value.name if type(value) is Memory else None

    def reducer_override(self, value: object) -> Any:  # noqa: ANN401 - what pickle takes
        """Return how a tensor is made anew; of the rest, let pickle go on with what is harmless."""
        if is_harmless(value):
            if not isinstance(value, Tensor):
                return NotImplemented
            if value.layout is torch.strided:
                return self._find_room(value).made_by
            return value.detach().cpu().__reduce_ex__(PROTOCOL)  # type: ignore[no-untyped-call]
        if _is_maker(value):
            return NotImplemented
        raise Strange(type(value))


def is_harmless(value: object) -> bool:
    """Tell whether a value can be saved and loaded, apart from what is in it, without running code.

    A tensor that is made of others, or counts in quanta, has no memory of its own to copy.
    """
    if isinstance(value, Tensor):
        has_own = type(value).__torch_dispatch__ is Tensor.__torch_dispatch__
        return has_own and not (value.is_quantized or value.is_nested)
    return any(type(value) in kinds for kinds in (ATOMS, TELLING, CONTAINERS))


def _is_maker(value: object) -> bool:
    """Tell whether a value is named in a pickle, for what it makes."""
    if not isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        return False
    is_kind_of_memory = isinstance(value, type) and issubclass(value, TypedStorage)
    return is_kind_of_memory or value is torch.UntypedStorage or value in MAKERS
