"""Owns copies of a training's state: what is written to the disk while the training goes on."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import torch

from trainer.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    State = dict[str, Any]

PLAIN = {type(None), bool, int, float, str, bytes, torch.Size, torch.dtype, torch.device}

# In bytes, of tensors in memory; PyTorch's own.
ALIGNMENT = 64


class Strange(Exception):  # noqa: N818 - it never leaves this module
    """Say that a value could not be loaded without running code."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Hold a state as it was; `arrived` is set where its tensors are still on their way from a GPU."""

    state: State
    arrived: torch.Event | None

    def wait(self) -> State:
        """Return the state when all of it is here."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.state


class Snapshots:
    """Copy states, one after the other, into the same memory: each copy ends the one before.

    A state is made of tensors and plain values in dictionaries, lists, tuples and sets. Copies are
    on the CPU; those from a GPU are queued behind the work that was given to it before, so that
    whoever takes a snapshot may go on at once and change what was copied.
    """

    def __init__(self) -> None:
        self._buffers: list[Tensor] = []
        self._used = 0
        self._is_new = False

    @torch.no_grad()
    def take(self, state: State) -> Snapshot:
        """Copy a state.

        Raises:
            CheckpointError: If it holds anything that could not be loaded without running code; it
                says where.
        """
        self._used, self._is_new = 0, False
        try:
            copy = self._copy(state)
        except Strange:
            raise CheckpointError(
                f"{_first_strange(state, 'state')}. Keep tensors and plain values in state_dict()."
            ) from None
        arrived = None
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # PyTorch left it untyped
            arrived = torch.cuda.current_stream().record_event()
        if self._is_new:
            self._buffers = _side_by_side(self._buffers[: self._used])
        return Snapshot(copy, arrived)

    def _copy(self, value: Any) -> Any:  # noqa: ANN401 - states are made of anything
        kind = type(value)
        if kind in PLAIN:
            return value
        if isinstance(value, torch.Tensor):
            return self._copy_tensor(value)
        if kind in (dict, OrderedDict, Counter):
            copy = kind({self._copy(key): self._copy(item) for key, item in value.items()})
            if kind is OrderedDict:  # PyTorch keeps the versions of modules in an attribute
                copy.__dict__.update(value.__dict__)
            return copy
        if kind in (list, tuple, set):
            return kind(map(self._copy, value))
        raise Strange

    def _copy_tensor(self, tensor: Tensor) -> Tensor:
        """Copy a tensor into the memory that its predecessor had, if it fits."""
        if tensor.layout is not torch.strided:
            return tensor.detach().cpu().clone()
        if self._used == len(self._buffers) or not _fits(tensor, self._buffers[self._used]):
            # Only from pinned memory can a GPU be read while it works on.
            is_far = tensor.device.type == "cuda"
            room = torch.empty_like(tensor, device="cpu", requires_grad=False, pin_memory=is_far)
            self._buffers[self._used : self._used + 1] = [room]
            self._is_new = True
        copy = self._buffers[self._used].copy_(tensor, non_blocking=True)
        self._used += 1
        return copy


def _side_by_side(buffers: list[Tensor]) -> list[Tensor]:
    """Return buffers like these, for the next state, in one piece of memory for each kind of value.

    A few large pieces are written several times as fast as many small ones.
    """
    ends: dict[tuple[torch.dtype, bool], int] = {}
    places = []
    for buffer in buffers:
        kind = (buffer.dtype, buffer.is_pinned())
        places.append((kind, ends.get(kind, 0)))
        aligned = ceil(buffer.numel() * buffer.itemsize / ALIGNMENT) * ALIGNMENT
        ends[kind] = ends.get(kind, 0) + aligned // buffer.itemsize
    pieces = {
        kind: torch.empty(end, dtype=kind[0], pin_memory=kind[1]) for kind, end in ends.items()
    }
    return [
        pieces[kind].as_strided(buffer.shape, buffer.stride(), start)
        for buffer, (kind, start) in zip(buffers, places, strict=True)
    ]


def _fits(tensor: Tensor, buffer: Tensor) -> bool:
    same_values = tensor.dtype == buffer.dtype and tensor.shape == buffer.shape
    return same_values and tensor.stride() == buffer.stride()


def _first_strange(value: object, where: str) -> str:
    """Return where the first value is that could not be loaded safely, and what it is, or nothing."""
    kind = type(value)
    if isinstance(value, dict):
        inside = [each for key, item in value.items() for each in ((key, key), (key, item))]
    elif isinstance(value, (list, tuple, set)):
        inside = [*enumerate(value)]
    else:
        inside = []
    if kind in {*PLAIN, dict, OrderedDict, Counter, list, tuple, set} or isinstance(
        value, torch.Tensor
    ):
        found = (_first_strange(item, f"{where}[{place!r}]") for place, item in inside)
        return next(filter(None, found), "")
    return f"{where} is a {kind.__module__}.{kind.__qualname__}"
