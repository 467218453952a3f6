"""The memory that PyTorch's allocator has reserved on GPUs, at most."""

from __future__ import annotations


def most_reserved() -> int | None:
    """Return the most bytes that this process has reserved, on all GPUs; None if it uses none."""
    import torch  # noqa: PLC0415 - the command line imports this module before it listens to signals

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # PyTorch left it untyped
        return None
    return sum(map(torch.cuda.max_memory_reserved, range(torch.cuda.device_count())))
