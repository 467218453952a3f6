"""Snapshots: copies of the state of a training, which are written while the training continues."""

from __future__ import annotations

import mmap
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import ceil
from typing import IO, TYPE_CHECKING, Any, Final

import torch
from torch.nn.parameter import is_lazy

from trainer.checkpoints.fast_pickle import (
    Memory,
    Pickled,
    Unsavable,
    pickle_of,
    place_of_unsavable,
)
from trainer.durable_files import DIRECT
from trainer.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from trainer.checkpoints.fast_pickle import Recipe

    State = Mapping[str, Any]
    # Two tensors with the same properties fit into the same memory.
    Properties = tuple[torch.dtype, torch.device, torch.Size, tuple[int, ...]]
    # A piece of memory, and places in it for copies; it can be used again for tensors with the same properties.
    Piece = tuple[Tensor, Sequence[Tensor]]
    Pieces = Mapping[tuple[Properties, ...], list[Piece]]

# Tensors up to this size share memory: every piece of memory is a record of the file. Pieces are large enough
# to be written directly, and small enough for a reader to hold one of them besides the tensors in it.
SMALL: Final = DIRECT  # bytes
_PIECE: Final = 16 * DIRECT  # bytes
_ALIGNMENT: Final = 64  # bytes; that of PyTorch's own memory, and of records in its files
_NOWHERE: Final = (set, ())  # how a tensor without a place is recreated


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a state; `arrived` is set if copies from a GPU may still be pending."""

    pickled: Pickled
    room: Room
    arrived: torch.Event | None

    @property
    def size(self) -> int:
        """The size of the copies in bytes."""
        return sum(each.piece.nbytes for each in self.pickled.memories)

    def save(self, file: IO[bytes]) -> None:
        """Wait for pending copies, and write a file for `torch.load`."""
        if self.arrived is not None:
            self.arrived.synchronize()
        self.pickled.save(file)


class Snapshots:
    """Copies states, into the memory of earlier copies if they fit.

    A state consists of tensors and plain values in dictionaries, lists, tuples and sets. Copies are
    on the CPU, and name the device of the original; those from a GPU are queued on its current
    stream, so that the caller may change the state at once.
    """

    def __init__(self) -> None:
        self._spare: list[Room] = []

    @torch.no_grad()
    def take(self, state: State) -> Snapshot:
        """Copy a state.

        Raises:
            CheckpointError: If it has a value that cannot be loaded without executing code; the error
                says where.
        """
        room = self._spare.pop() if self._spare else Room()
        content, tensors = _pickled(state, room)
        if any(map(is_lazy, tensors)):
            raise CheckpointError(
                "model: a lazy module was not called in the first iteration, so its parameters have no"
                " shape and cannot be saved. Call it in forward, or remove it."
            )
        properties = _properties_of(tensors)
        if properties != room.properties:
            groups = _groups_of(tensors)
            kinds = Counter(tuple(properties[place] for place in group) for group in groups)
            spare = {kind: room.pieces.get(kind, [])[:count] for kind, count in kinds.items()}
            room = Room()  # frees the other pieces
            room = _room_for(tensors, groups, spare)
            content, tensors = _pickled(state, room)
        for copy, tensor in zip(room.copies, tensors, strict=True):
            copy.copy_(tensor, non_blocking=True)
        arrived = None
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # PyTorch left it untyped
            arrived = torch.cuda.current_stream().record_event()
        return Snapshot(Pickled(content, room.memories), room, arrived)

    def give_back(self, snapshot: Snapshot) -> None:
        """Let a later copy reuse the memory of a snapshot."""
        self._spare.append(snapshot.room)


def check_loadable(state: State) -> None:
    """Check that a state could be loaded, without copying its tensors.

    Raises:
        CheckpointError: If it has a value that cannot be loaded without executing code; the error
            says where.
    """
    _pickled(state, Room())


def _pickled(state: State, room: Room) -> tuple[bytes, list[Tensor]]:
    """Return the pickle of a state, which holds only if the room fits, and its tensors."""
    tensors: list[Tensor] = []

    def place(tensor: Tensor) -> Recipe:
        tensors.append(tensor)
        return room.recipes[len(tensors) - 1] if len(tensors) <= len(room.recipes) else _NOWHERE

    try:
        return pickle_of(state, place), tensors
    except Unsavable:
        where, what = place_of_unsavable(state)
        raise CheckpointError(
            f"state{where} is a {what}. Keep tensors and plain values in state_dict()."
        ) from None


@dataclass(frozen=True, slots=True)
class Room:
    """Memory for the tensors of a state, in their order: their copies, and how these are recreated."""

    properties: Sequence[Properties] = ()
    copies: Sequence[Tensor] = ()
    recipes: Sequence[Recipe] = ()
    memories: Sequence[Memory] = ()
    pieces: Pieces = field(default_factory=dict)


def _properties_of(tensors: Sequence[Tensor]) -> list[Properties]:
    return [(each.dtype, each.device, each.shape, each.stride()) for each in tensors]


def _groups_of(tensors: Sequence[Tensor]) -> list[list[int]]:
    """Return the places of tensors that are to share a piece of memory; a large tensor is alone."""
    groups: list[list[int]] = []
    begun: dict[tuple[torch.dtype, str], tuple[list[int], int]] = {}
    for place, tensor in enumerate(tensors):
        kind, size = (tensor.dtype, origin_of(tensor)), tensor.nbytes
        group, filled = begun.get(kind, ([], 0))
        is_small = size <= SMALL
        if not group or not is_small or filled + size > _PIECE:
            groups.append(group := [])
            filled = 0
        group.append(place)
        if is_small:
            begun[kind] = group, filled + size
    return groups


def _room_for(tensors: Sequence[Tensor], groups: Sequence[list[int]], spare: Pieces) -> Room:
    """Make a room for tensors, of pieces for groups of them; spare ones are used where they fit."""
    properties = _properties_of(tensors)
    placed: dict[int, tuple[Tensor, Recipe]] = {}
    memories: list[Memory] = []
    pieces: defaultdict[tuple[Properties, ...], list[Piece]] = defaultdict(list)
    for group in groups:
        kind = tuple(properties[place] for place in group)
        some = [tensors[place] for place in group]
        whole, copies = spare[kind].pop() if spare[kind] else _side_by_side(some)
        pieces[kind].append((whole, copies))
        memory = Memory(whole, len(memories), origin_of(some[0]))
        memories.append(memory)
        for place, copy in zip(group, copies, strict=True):
            placed[place] = copy, memory.recipe_of(copy)
    pairs = [placed[place] for place in range(len(tensors))]
    return Room(
        properties, [copy for copy, _ in pairs], [recipe for _, recipe in pairs], memories, pieces
    )


def _memory(size: int, device: torch.device) -> Tensor:
    """Return zeros for copies from a device; those from a GPU are asynchronous only into pinned memory."""
    if device.type == "cuda" or size < DIRECT:
        return torch.zeros(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
    # Large memory begins with a page, and is written from there. Huge pages make the first copy take up to
    # ten times as long, while the kernel makes room for them, and the others no shorter.
    try:
        pages = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:  # PyTorch's error, if it gets none either, says how much was asked for
        return torch.zeros(size, dtype=torch.uint8)
    return torch.frombuffer(pages, dtype=torch.uint8)


def _dense_strides(tensor: Tensor) -> tuple[int, ...]:
    """Return how a copy without gaps is laid out."""
    return torch.empty_like(tensor, device="meta").stride()


def _side_by_side(tensors: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Return one piece of memory, and places in it for copies of tensors of one dtype and device."""
    dtype, itemsize = tensors[0].dtype, tensors[0].itemsize
    starts, end = [], 0
    for each in tensors:
        starts.append(ceil(end / _ALIGNMENT) * _ALIGNMENT)
        end = starts[-1] + each.nbytes
    # What is between the copies is written, too.
    piece = _memory(end, tensors[0].device).view(dtype)
    strides = map(_dense_strides, tensors)
    parts = zip(tensors, strides, starts, strict=True)
    return piece, [
        piece.as_strided(each.shape, stride, start // itemsize) for each, stride, start in parts
    ]


def origin_of(tensor: Tensor) -> str:
    """Return the device of a tensor in the words of PyTorch's files: `cpu`, or `cuda:0`."""
    return "cpu" if tensor.device.type == "cpu" else str(tensor.device)
