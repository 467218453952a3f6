"""Copies ahead: each batch is copied to the GPU while the GPU computes with the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainer.batch_structure import bring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def copied_ahead(
    batches: Iterable[Any],
    device: torch.device,
    streams: Any = torch.cuda,  # noqa: ANN401 - a module
) -> Iterator[Any]:
    """Yield batches on a GPU; the next one is queued for copying, on a stream of its own, before.

    Copies overlap with the computation only if the batches are in pinned memory.

    Args:
        batches: The batches, of any structure.
        device: The GPU.
        streams: The module with the streams of such a device.
    """
    copying = streams.Stream()
    coming: tuple[Any, Any] | None = None
    for batch in batches:
        # The memory of an earlier batch is free as soon as its step is queued, and may be reused for
        # this one: the copy has to wait for the steps that are queued now.
        copying.wait_stream(streams.current_stream())
        with streams.stream(copying):
            copied = bring(batch, device), copying.record_event()
        if coming is not None:
            yield _awaited(*coming, streams)
        coming = copied
    if coming is not None:
        yield _awaited(*coming, streams)


def _awaited(batch: Any, arrived: Any, streams: Any) -> Any:  # noqa: ANN401 - as above
    """Return a batch; what is queued from now on waits until it has been copied."""
    streams.current_stream().wait_event(arrived)
    return batch


def in_pinned_memory(values: Tensor) -> Tensor:
    """Return a tensor of the CPU in memory from which it can be copied to a GPU without waiting."""
    return values.pin_memory() if values.is_cpu else values
