"""A data set that callbacks change, and callbacks that change nothing."""

import os
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset
from user_modules import Tiny, labelled


class Shifted(Dataset[tuple[Tensor, Tensor]]):
    """Shift samples, and say in each which process made it."""

    def __init__(self, samples: TensorDataset) -> None:
        self.samples = samples
        self.settings = {"shift": 0.0}

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample."""
        sample, label = self.samples[index]
        return sample + self.settings["shift"], label


class Changing(Tiny):
    """Change the training set at an event: at its last step, if it is a step."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self.train: Any = Shifted(labelled(0))
        self.when = when

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Shift, if this is the moment."""
        del trainer, iteration
        self._shift("iteration_begin")

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Shift, if this is the moment, in the middle of an iteration."""
        del trainer, iteration, loss
        if batch_idx == 1:
            self._shift("step_end")

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: Any) -> None:
        """Shift, if this is the moment."""
        del trainer, iteration, metrics
        self._shift("iteration_end")

    def _shift(self, event: str) -> None:
        if event == self.when:
            self.train.settings["shift"] += 0.5


class Marked(Shifted):
    """Give as a sample the process that makes it."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample."""
        sample, label = self.samples[index]
        return torch.cat([sample[:5], torch.tensor([float(os.getpid())])]), label


class Logging:
    """Look at each iteration and step, and change nothing."""

    def cb_on_iteration_begin(self, trainer: object, iteration: int) -> None:
        """Look."""

    def cb_on_step_end(self, trainer: object, iteration: int, batch_idx: int, loss: float) -> None:
        """Look."""
