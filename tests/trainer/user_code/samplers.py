"""Samplers such as users write."""

from typing import Any

from torch.utils.data import Sampler


class ByTarget(Sampler[int]):
    """Take the samples in the order of what they are, whatever it is."""

    def __init__(self, data_source: Any, start: int = 0) -> None:
        self.samples = data_source
        self.start = start

    def __iter__(self) -> Any:
        """Yield indices."""
        yield from range(len(self.samples) - 1, self.start - 1, -1)
