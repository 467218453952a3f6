"""CUDA graphs: what a GPU computes for a call, recorded, and launched again as a whole."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Replay = Callable[[], None]


class Graphs(Protocol):
    """Records what a device computes."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Replay, Tensor]:
        """Record a call, without computing it.

        Returns:
            What computes it again, with the same tensors, and the tensor that it then writes to.
        """

    def random_state(self) -> Tensor:
        """Return the state of the device's random generator."""

    def set_random_state(self, state: Tensor) -> None:
        """Set that state."""


class CudaGraphs:
    """Records what a GPU computes.

    Args:
        device: The GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def record(self, work: Callable[[], Tensor]) -> tuple[Replay, Tensor]:
        """Record a call, without computing it.

        Other threads may use the GPU meanwhile: the one that saves checkpoints does.

        Raises:
            RuntimeError: If the call does what a graph cannot repeat, such as waiting for the GPU.
        """
        graph = torch.cuda.CUDAGraph()
        try:
            found = self._recorded(graph, work)
        except BaseException:
            # The random generator waits for the end of a recording that failed; that of another one is as good.
            with suppress(RuntimeError):
                self._recorded(torch.cuda.CUDAGraph(), lambda: torch.zeros((), device=self._device))
            raise
        return graph.replay, found

    def _recorded(self, graph: torch.cuda.CUDAGraph, work: Callable[[], Tensor]) -> Tensor:
        # The outer context restores the stream, which the inner one leaves as it is where the recording fails.
        with (
            torch.cuda.stream(torch.cuda.current_stream(self._device)),
            torch.cuda.graph(graph, capture_error_mode="thread_local"),
        ):
            return work()

    def random_state(self) -> Tensor:
        """Return the state of the GPU's random generator."""
        return torch.cuda.get_rng_state(self._device)

    def set_random_state(self, state: Tensor) -> None:
        """Set that state."""
        torch.cuda.set_rng_state(state, self._device)


def graphs_of(device: torch.device) -> Graphs | None:
    """Return what records the computations of a device; None if nothing can."""
    return CudaGraphs(device) if device.type == "cuda" else None
