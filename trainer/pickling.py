"""Pickles a state for `torch.save`, whose file is the same to every reader, in a third of the time.

`torch.save` asks Python about every single value whether it is the memory of a tensor, and describes
that memory anew for each tensor in it. Here tensors say so themselves, and memory is described once.
`torch.save(..., pickle_module=this)` takes the class from here that it would take from `pickle`.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import IO, TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch._utils import _rebuild_tensor_v2
from torch.storage import TypedStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    # How PyTorch's files name a piece of memory.
    PersistentId = tuple[Any, ...]


class Pickler:
    """Be what `torch.save` makes a subclass of, with a `persistent_id` for the memory of tensors."""

    persistent_id: Callable[[TypedStorage], PersistentId]

    def __init__(self, file: IO[bytes], protocol: int) -> None:
        self.file = file
        self.protocol = protocol

    def dump(self, state: object) -> None:
        """Pickle a state."""
        StatePickler(self.file, self.protocol, self.persistent_id).dump(state)


class Memory:
    """Stand for a piece of memory, in which tensors lie."""

    def __init__(self, name: PersistentId) -> None:
        self.name = name


class StatePickler(pickle.Pickler):
    """Pickle tensors by where they lie in memory; whatever is special about one, PyTorch pickles."""

    def __init__(
        self,
        file: IO[bytes],
        protocol: int,
        name_memory: Callable[[TypedStorage], PersistentId],
    ) -> None:
        super().__init__(file, protocol)
        self._name_memory = name_memory
        self._known: dict[tuple[int, int, torch.dtype], Memory] = {}
        self._no_hooks: OrderedDict[Any, Any] = OrderedDict()

    def persistent_id(self, value: object) -> PersistentId | None:
        """Return the name of memory; nothing else has one."""
        # Asked about every value there is: comparing types is the fastest.
        kind = type(value)
        if kind is Memory:
            return cast("Memory", value).name
        return self._name_memory(cast("TypedStorage", value)) if kind is TypedStorage else None

    def reducer_override(self, value: object) -> Any:  # noqa: ANN401 - what pickle takes
        """Return how an ordinary tensor is made anew; pickle knows the way of everything else."""
        if type(value) is not Tensor or not _is_ordinary(value):
            return NotImplemented
        storage = value.untyped_storage()
        where = (storage.data_ptr(), storage.nbytes(), value.dtype)
        memory = self._known.get(where)
        if memory is None:
            typed = TypedStorage(wrap_storage=storage, dtype=value.dtype, _internal=True)  # type: ignore[no-untyped-call]
            memory = self._known[where] = Memory(self._name_memory(typed))
        place = (value.storage_offset(), tuple(value.shape), value.stride())
        return _rebuild_tensor_v2, (memory, *place, value.requires_grad, self._no_hooks)


def _is_ordinary(tensor: Tensor) -> bool:
    plain = tensor.layout is torch.strided and tensor.device.type == "cpu"
    special = tensor.is_quantized or tensor.is_conj() or tensor.is_neg() or tensor.__dict__
    return plain and not special
