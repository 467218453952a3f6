"""A stand-in for CUDA graphs: it records on the CPU which kernels are called, and calls them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainer.replay_check import tensors_of

if TYPE_CHECKING:
    from collections.abc import Callable


class Tape(TorchDispatchMode):
    """Notes the kernels that are called, with the tensors that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a kernel, and note it, unless the host would have to wait for a GPU."""
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError(
                "CUDA error: operation not permitted when stream is capturing\nMore."
            )
        found = func(*args, **(kwargs or {}))
        places = {each.untyped_storage().data_ptr() for each in tensors_among((args, kwargs))}
        written = [
            each for each in tensors_among(found) if each.untyped_storage().data_ptr() not in places
        ]
        self.calls.append((func, args, kwargs or {}, written))
        return found

    def replay(self) -> None:
        """Call them again, in their order, without any other line of Python."""
        with torch.no_grad():
            for func, args, kwargs, written in self.calls:
                found = func(*args, **kwargs)
                if written:
                    for kept, now in zip(written, tensors_among(found), strict=True):
                        kept.copy_(now)


def tensors_among(value: Any) -> list[Tensor]:
    return [each for each in tree_leaves(value) if isinstance(each, Tensor)]


class Recorder:
    """Records on the CPU, as a graph does on a GPU; and counts."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def record(self, work: Any) -> tuple[Callable[[], None], Tensor]:
        """Note the kernels that work calls, and put back what it has changed: a graph computes nothing yet."""
        update = work.__self__._update
        changing = [each for _, each in tensors_of(update)]
        before, state = [each.clone() for each in changing], torch.get_rng_state()
        tape = Tape()
        try:
            with tape:
                loss = work()
        finally:
            with torch.no_grad():
                for each, kept in zip(changing, before, strict=True):
                    each.copy_(kept)
            torch.set_rng_state(state)
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            tape.replay()

        return replay, loss

    def random_state(self) -> Tensor:
        """Return the state of the global generator."""
        return torch.get_rng_state()

    def set_random_state(self, state: Tensor) -> None:
        """Set it."""
        torch.set_rng_state(state)
