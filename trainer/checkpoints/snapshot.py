"""Snapshots: copies of the state of a training, which are written while the training continues."""

from __future__ import annotations

from collections import Counter, OrderedDict
from copy import copy
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainer.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    State = dict[str, Any]

# What PyTorch loads without executing code, besides tensors.
ATOMS = {
    *(type(None), bool, int, float, str, bytes),
    *(torch.Size, torch.dtype, torch.device, torch.layout),
}
CONTAINERS = {dict, OrderedDict, Counter, list, tuple, set}


@dataclass(frozen=True, slots=True)
class TensorCopy:
    """A copy of a tensor on the CPU; if the tensor was on a GPU (`was_away`), in pinned memory."""

    tensor: Tensor
    was_away: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a state, with all tensors on the CPU.

    `far` are the positions, in the order of `tensors_in`, of tensors that were on a GPU; `arrived` is
    set if copies from a GPU may still be pending.
    """

    state: State
    copies: Sequence[TensorCopy]
    far: Sequence[int]
    arrived: torch.Event | None

    @property
    def size(self) -> int:
        """The size of the copies in bytes."""
        return sum(each.tensor.nbytes for each in self.copies)

    def save(self, file: IO[bytes]) -> None:
        """Wait for pending copies, and write a file for `torch.load`."""
        if self.arrived is not None:
            self.arrived.synchronize()
        torch.save({**self.state, "far": [*self.far]}, file)


class Snapshots:
    """Copies states, into the memory of earlier copies if they fit.

    A state consists of tensors and plain values in dictionaries, lists, tuples and sets. Copies from
    a GPU are queued on its current stream, so that the caller may change the state at once.
    """

    def __init__(self) -> None:
        self._spare: list[Sequence[TensorCopy]] = []

    @torch.no_grad()
    def take(self, state: State) -> Snapshot:
        """Copy a state.

        Raises:
            CheckpointError: If it has a value that cannot be loaded without executing code; the error
                says where.
        """
        copier = _Copier(self._spare.pop() if self._spare else ())
        try:
            copied = copier.copy_of(state)
        except _Unsavable as unsavable:
            places = "".join(reversed(unsavable.places))
            raise CheckpointError(
                f"state{places} is a {unsavable}. Keep tensors and plain values in state_dict()."
            ) from None
        arrived = None
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # PyTorch left it untyped
            arrived = torch.cuda.current_stream().record_event()
        return Snapshot(copied, copier.copies, copier.far, arrived)

    def give_back(self, snapshot: Snapshot) -> None:
        """Let a later copy reuse the memory of a snapshot."""
        self._spare.append(snapshot.copies)


class _Unsavable(Exception):  # noqa: N818 - it never leaves this module
    """The type of a value that cannot be saved, and its path, from the innermost key outwards."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.places: list[str] = []


class _Copier:
    """Copies one state."""

    def __init__(self, spare: Sequence[TensorCopy]) -> None:
        self._spare = [*spare]
        self._made: dict[int, Any] = {}
        self._count = 0
        self.copies: list[TensorCopy] = []
        self.far: list[int] = []

    def copy_of(self, value: Any) -> Any:  # noqa: ANN401 - what a state is made of
        """Return a copy, in which an object that occurs twice is shared, too."""
        kind = type(value)
        if kind in ATOMS:
            return value
        known = self._made.get(id(value))
        if known is not None:
            return known
        if isinstance(value, Tensor):
            made: Any = self._copy_of_tensor(value)
        elif kind not in CONTAINERS:
            raise _Unsavable(f"{kind.__module__}.{kind.__qualname__}")
        elif isinstance(value, dict):
            return self._copy_of_dict(value)
        elif kind is list:
            made = self._made[id(value)] = []
            made += [self._copy_at(at, each) for at, each in enumerate(value)]
        else:
            made = kind([self._copy_at(at, each) for at, each in enumerate(value)])
        self._made[id(value)] = made
        return made

    def _copy_at(self, place: object, value: Any) -> Any:  # noqa: ANN401 - as above
        try:
            return self.copy_of(value)
        except _Unsavable as unsavable:
            unsavable.places.append(f"[{place!r}]")
            raise

    def _copy_of_dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        """Copy a dictionary and its attributes, in which PyTorch keeps the versions of modules."""
        made = copy(value)
        made.clear()
        self._made[id(value)] = made
        for key, item in value.items():
            made[self._copy_at(key, key)] = self._copy_at(key, item)
        for name, item in getattr(value, "__dict__", {}).items():
            setattr(made, name, self._copy_at(name, item))
        return made

    def _copy_of_tensor(self, tensor: Tensor) -> Tensor:
        """Copy a tensor, into the memory of an earlier copy if it fits."""
        if tensor.is_nested or tensor.is_quantized:
            raise _Unsavable("nested tensor" if tensor.is_nested else "quantized tensor")
        if type(tensor).__torch_dispatch__ is not Tensor.__torch_dispatch__:
            raise _Unsavable(f"{type(tensor).__module__}.{type(tensor).__qualname__}")
        was_away = is_away(tensor)
        if was_away:
            self.far.append(self._count)
        self._count += 1
        if tensor.layout is not torch.strided:
            return tensor.detach().to("cpu", copy=True)
        number = len(self.copies)
        if number < len(self._spare) and _fits(tensor, self._spare[number], was_away=was_away):
            made = self._spare[number]
        else:
            # Copies from a GPU are asynchronous only into pinned memory.
            is_pinned = tensor.device.type == "cuda"
            room = torch.empty_like(tensor, device="cpu", requires_grad=False, pin_memory=is_pinned)
            made = TensorCopy(room, was_away)
            self._spare[number : number + 1] = [made]  # frees the one that does not fit
        made.tensor.copy_(tensor, non_blocking=True)
        self.copies.append(made)
        return made.tensor


def is_away(tensor: Tensor) -> bool:
    """Return whether a tensor is on a GPU."""
    return tensor.device.type != "cpu"


def _fits(tensor: Tensor, spare: TensorCopy, *, was_away: bool) -> bool:
    room = spare.tensor
    same_values = tensor.dtype == room.dtype and tensor.shape == room.shape
    return same_values and tensor.stride() == room.stride() and spare.was_away == was_away


def tensors_in(state: object) -> Iterator[Tensor]:
    """Yield the tensors of a state in the order in which they are copied, each once."""
    seen = set()
    left = [state]
    while left:
        value = left.pop()
        if type(value) in ATOMS or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict):
            inside = [each for pair in value.items() for each in pair]
            left += reversed([*inside, *getattr(value, "__dict__", {}).values()])
        elif isinstance(value, (list, tuple, set)):
            left += reversed([*value])
