"""Owns copies of a training's state: what is written to the disk while the training goes on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import torch

from trainer.checkpoints.archive import ALIGNMENT, archive
from trainer.checkpoints.pickling import Memory, Room, StatePickler, Strange, is_harmless, origin_of
from trainer.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Hold a state as it was; `arrived` is set where its tensors are still on their way from a GPU."""

    pickle: bytes
    memories: Sequence[Memory]
    arrived: torch.Event | None

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Yield a file for `torch.load`, when all of the state is here."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return archive(self.pickle, [memory.content for memory in self.memories])


class Snapshots:
    """Copy states, one after the other, into the same memory: each copy ends the one before.

    A state is made of tensors and plain values in dictionaries, lists, tuples and sets. Copies are
    on the CPU, and name the place of the original; those from a GPU are queued behind the work that
    was given to it before, so that whoever takes a snapshot may go on at once and change what was
    copied.
    """

    def __init__(self) -> None:
        self._rooms: list[Room] = []
        self._used = 0
        self._has_new = False
        self._memories: list[Memory] = []

    @torch.no_grad()
    def take(self, state: State) -> Snapshot:
        """Copy a state.

        Raises:
            CheckpointError: If it holds anything that could not be loaded without running code; it
                says where.
        """
        self._used, self._has_new, self._memories = 0, False, []
        file = io.BytesIO()
        try:
            StatePickler(file, self._copy).dump(state)
        except Strange as strange:
            culprit = _first_strange(state, "state") or f"state has a {strange} somewhere"
            raise CheckpointError(
                f"{culprit}. Keep tensors and plain values in state_dict()."
            ) from None
        arrived = None
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # PyTorch left it untyped
            arrived = torch.cuda.current_stream().record_event()
        if self._has_new or self._used < len(self._rooms):
            self._rooms = _side_by_side(self._rooms[: self._used])
        return Snapshot(file.getvalue(), self._memories, arrived)

    def _copy(self, tensor: Tensor) -> Room:
        """Copy a tensor to where its predecessor was, if it fits."""
        if self._used == len(self._rooms) or not _fits(tensor, self._rooms[self._used]):
            # Only from pinned memory can a GPU be read while it works on.
            is_far = tensor.device.type == "cuda"
            copy = torch.empty_like(tensor, device="cpu", requires_grad=False, pin_memory=is_far)
            self._rooms[self._used : self._used + 1] = [Room(copy, Memory(copy, origin_of(tensor)))]
            self._has_new = True
        room = self._rooms[self._used]
        self._used += 1
        if room.memory not in self._memories:
            room.memory.give_number(len(self._memories))
            self._memories.append(room.memory)
        room.copy.copy_(tensor, non_blocking=True)
        return room


def _side_by_side(rooms: list[Room]) -> list[Room]:
    """Return rooms like these, for the next state, in one piece of memory for each kind of value.

    A few large pieces are written several times as fast as many small ones.
    """
    ends: dict[tuple[torch.dtype, str], int] = {}
    places = []
    for copy, origin in ((room.copy, room.memory.origin) for room in rooms):
        kind = (copy.dtype, origin)
        places.append((kind, ends.get(kind, 0)))
        aligned = ceil(copy.numel() * copy.itemsize / ALIGNMENT) * ALIGNMENT
        ends[kind] = ends.get(kind, 0) + aligned // copy.itemsize
    pieces = {
        # Zeros: what lies between the copies is written too.
        kind: torch.zeros(end, dtype=kind[0], pin_memory=kind[1].startswith("cuda"))
        for kind, end in ends.items()
    }
    memories = {kind: Memory(piece, kind[1]) for kind, piece in pieces.items()}
    return [
        Room(pieces[kind].as_strided(old.copy.shape, old.copy.stride(), start), memories[kind])
        for old, (kind, start) in zip(rooms, places, strict=True)
    ]


def _fits(tensor: Tensor, room: Room) -> bool:
    copy = room.copy
    same_values = tensor.dtype == copy.dtype and tensor.shape == copy.shape
    is_alike = same_values and tensor.stride() == copy.stride()
    return is_alike and room.memory.origin == origin_of(tensor)


def _first_strange(value: object, where: str) -> str:
    """Return where the first value is that could not be loaded safely, and what it is, or nothing."""
    kind = type(value)
    if not is_harmless(value):
        return f"{where} is a {kind.__module__}.{kind.__qualname__}"
    inside: list[tuple[object, object]] = []
    if isinstance(value, dict):
        inside = [each for key, item in value.items() for each in ((key, key), (key, item))]
    elif isinstance(value, (list, tuple, set)):
        inside = [*enumerate(value)]
    found = (_first_strange(item, f"{where}[{place!r}]") for place, item in inside)
    return next(filter(None, found), "")
