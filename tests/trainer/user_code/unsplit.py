"""Data modules without a validation set."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.data import IterableDataset
from user_modules import NoisySamples, labelled


class Unsplit:
    """Data of tensors, or of samples that are made, with none or nothing to validate with."""

    def __init__(self, kind: str = "tensors", validation: str = "absent") -> None:
        kinds = {"tensors": labelled, "made": lambda seed: NoisySamples(labelled(seed))}
        self.train = kinds[kind](0)
        self.test = kinds[kind](2)
        if validation == "none":
            self.validation = None
        if validation == "there":
            self.validation = labelled(1)


class Fixed:
    """Data that cannot be set."""

    def __init__(self) -> None:
        self.test = labelled(2)

    @property
    def train(self) -> Any:
        """Return the training set."""
        return labelled(0)


class Stream(IterableDataset[Any]):
    """A stream of no samples."""

    def __iter__(self) -> Any:
        """Yield nothing."""
        return iter(())


class Streamed:
    """Data of a stream."""

    def __init__(self) -> None:
        self.train = Stream()
        self.test = labelled(2)


class Counted(nn.Linear):
    """A model that is as large as the training set."""

    def __init__(self, data: Any) -> None:
        super().__init__(6, 2)
        self.register_buffer("seen", torch.zeros(len(data.train)))
