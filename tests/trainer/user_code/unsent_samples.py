"""Samples that a loader worker cannot send to the trainer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from user_modules import Tiny


class Unsent(Tiny):
    """A data module whose training samples cannot be sent."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.train: Any = Samples(how)


class Samples(Dataset[Any]):
    """A data set that makes them."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __len__(self) -> int:
        """Return the number of samples."""
        return 16

    def __getitem__(self, index: int) -> Any:
        """Make a sample, or fail."""

        class Local:
            pass

        class LocalError(Exception):
            def __init__(self, _first: int, _second: int) -> None:
                super().__init__("broken")

        if self.how == "a local error":
            raise LocalError(1, 2)
        made = {
            "a function": lambda: index,
            "a local object": Local(),
            "a gradient": torch.ones(6, requires_grad=True) * 2,
            "an array of functions": np.array([lambda: index], dtype=object),
        }
        return made[self.how], index % 2


def as_lists(samples: list[Any]) -> Any:
    """Collate samples to lists."""
    inputs, targets = zip(*samples, strict=True)
    return [*inputs], torch.tensor(targets)
