"""Owns copies of a training's state: what is written to the disk while the training goes on."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from trainer.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    State = dict[str, Any]

PLAIN = (type(None), bool, int, float, str, bytes, torch.Size, torch.dtype, torch.device)


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

    @torch.no_grad()
    def take(self, state: State) -> Snapshot:
        """Copy a state.

        Raises:
            CheckpointError: If it holds anything that could not be loaded without running code; it
                says where.
        """
        self._used = 0
        copy = self._copy(state, "state")
        arrived = None
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # PyTorch left it untyped
            arrived = torch.cuda.current_stream().record_event()
        return Snapshot(copy, arrived)

    def _copy(self, value: Any, where: str) -> Any:  # noqa: ANN401 - states are made of anything
        kind = type(value)
        if isinstance(value, torch.Tensor):
            return self._copy_tensor(value)
        if kind in PLAIN:
            return value
        if kind in (dict, OrderedDict):
            items = ((key, self._copy(item, f"{where}[{key!r}]")) for key, item in value.items())
            copy = kind((self._copy(key, where), item) for key, item in items)
            if kind is OrderedDict:  # PyTorch keeps the versions of modules in an attribute
                copy.__dict__.update(value.__dict__)
            return copy
        if kind in (list, tuple, set):
            return kind(self._copy(item, f"{where}[{at}]") for at, item in enumerate(value))
        name = f"{kind.__module__}.{kind.__qualname__}"
        raise CheckpointError(
            f"{where} is a {name}. Keep tensors and plain values in state_dict()."
        )

    def _copy_tensor(self, tensor: Tensor) -> Tensor:
        """Copy a tensor into the memory that its predecessor had, if it fits."""
        if tensor.layout is not torch.strided:
            return tensor.detach().cpu().clone()
        if self._used == len(self._buffers):
            self._buffers.append(_room_for(tensor))
        elif not _fits(tensor, self._buffers[self._used]):
            self._buffers[self._used] = _room_for(tensor)
        copy = self._buffers[self._used].copy_(tensor, non_blocking=True)
        self._used += 1
        return copy


def _room_for(tensor: Tensor) -> Tensor:
    # Only from pinned memory can a GPU be read while it works on.
    return torch.empty_like(
        tensor, device="cpu", requires_grad=False, pin_memory=tensor.device.type == "cuda"
    )


def _fits(tensor: Tensor, buffer: Tensor) -> bool:
    same_values = tensor.dtype == buffer.dtype and tensor.shape == buffer.shape
    return same_values and tensor.stride() == buffer.stride()
