"""Owns how a state becomes a pickle, apart from the memory of its tensors.

In PyTorch's files a tensor is a view of a piece of memory that has a number. Here it is looked up,
where `torch.save` describes it, and its memory, anew: that takes a third of the time.
"""

from __future__ import annotations

import _codecs
import pickle
from collections import Counter, OrderedDict
from types import BuiltinFunctionType, FunctionType
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch._utils import _rebuild_sparse_tensor, _rebuild_tensor_v2
from torch.serialization import _get_layout
from torch.storage import TypedStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    # What stands for a piece of memory in PyTorch's files.
    Name = tuple[str, type, str, str, int]

PROTOCOL = 2  # of pickle; what PyTorch reads without running code
# What else pickle knows by itself is made of.
PLAIN = {torch.Size, torch.dtype, torch.device, torch.layout, OrderedDict, Counter}
# What makes values anew, and what may stand for itself; PyTorch calls nothing else unasked.
MAKERS = {_rebuild_tensor_v2, _rebuild_sparse_tensor, _get_layout, _codecs.encode, set, bytes}

NO_HOOKS: OrderedDict[str, Any] = OrderedDict()


class Strange(Exception):  # noqa: N818 - no error yet
    """Say that a value of a type could not be loaded without running code."""


class Memory:
    """Be a piece of memory, in which tensors of one data type lie on the CPU.

    Args:
        piece: All of it, as a tensor.
    """

    def __init__(self, piece: Tensor) -> None:
        storage = piece.untyped_storage()
        typed = TypedStorage(wrap_storage=storage, dtype=piece.dtype, _internal=True)  # type: ignore[no-untyped-call]
        self._kind = getattr(torch, typed._pickle_storage_type())  # type: ignore[no-untyped-call]  # noqa: SLF001
        self._length = storage.nbytes() // piece.itemsize
        flat = torch.empty(0, dtype=torch.uint8).set_(storage)
        self.content: memoryview = flat.numpy().data
        self.name: Name | None = None

    def give_number(self, number: int) -> None:
        """Take part in a state as its piece of that number."""
        self.name = ("storage", self._kind, str(number), "cpu", self._length)


class Room:
    """Be where a tensor's copy is: a view of a piece of memory."""

    def __init__(self, copy: Tensor, memory: Memory) -> None:
        self.copy = copy
        self.memory = memory
        place = (copy.storage_offset(), tuple(copy.shape), copy.stride())
        self.made_by = (_rebuild_tensor_v2, (memory, *place, False, NO_HOOKS))


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
        if isinstance(value, Tensor):
            if value.layout is torch.strided:
                return self._find_room(value).made_by
            return value.detach().cpu().__reduce_ex__(PROTOCOL)  # type: ignore[no-untyped-call]
        if type(value) in PLAIN or _is_maker(value):
            return NotImplemented
        raise Strange(type(value))


def _is_maker(value: object) -> bool:
    """Tell whether a value is named in a pickle, for what it makes."""
    if not isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        return False
    is_kind_of_memory = isinstance(value, type) and issubclass(value, TypedStorage)
    return is_kind_of_memory or value in PLAIN or value in MAKERS
