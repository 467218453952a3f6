"""Callbacks and data sets that do to the trainer what they should not, or what is seldom done."""

import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import get_worker_info
from user_modules import NoisySamples, labelled


class Meddling:
    """Do something to the trainer when the second iteration or its evaluation ends."""

    def __init__(self, deed: str, event: str = "iteration_end") -> None:
        self.deed = deed
        self.event = event

    def _act(self, event: str, trainer: Any, iteration: int, metrics: dict[str, Any]) -> None:
        if event == self.event and iteration == 2:
            if self.deed == "clear":
                metrics.clear()
            elif self.deed == "text":
                metrics["x"] = "0.5"
            else:
                _exchange(self.deed, trainer)

    def cb_on_evaluation_end(self, trainer: Any, iteration: int, metrics: dict[str, Any]) -> None:
        """Act, if this is the moment."""
        self._act("evaluation_end", trainer, iteration, metrics)

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: dict[str, Any]) -> None:
        """Act, if this is the moment."""
        self._act("iteration_end", trainer, iteration, metrics)


def _exchange(name: str, trainer: Any) -> None:
    setattr(trainer, name, nn.Linear(6, 2))


class Focal(nn.Module):
    """Be a criterion of the user's own, about classes."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Map logits (batch, classes) and classes (batch,) to the mean loss."""
        surely = functional.log_softmax(logits, 1).gather(1, targets[:, None]).squeeze(1)
        return ((1 - surely.exp()).square() * -surely).mean()


class Distance(nn.Module):
    """Be a criterion of numbers, not of classes."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Map outputs (batch, 2) to the mean distance from the targets."""
        return (outputs[:, 0] - targets).square().mean()


class ByWorker(NoisySamples):
    """Seed a generator by what PyTorch tells a worker, or else the process."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample."""
        worker = get_worker_info()
        seed = torch.initial_seed() if worker is None else worker.seed
        sample, label = self.samples[index]
        return sample + float(np.random.default_rng(seed).normal()), label


class LeavingWorker(NoisySamples):
    """End the worker that makes a sample."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample, or exit."""
        if get_worker_info() is not None and index == 7:
            sys.exit(0)
        return super().__getitem__(index)


class ByWorkerData:
    """Offer data whose generators are seeded by worker."""

    def __init__(self) -> None:
        self.train, self.validation, self.test = (ByWorker(labelled(seed)) for seed in range(3))


class LeavingData:
    """Offer data that end workers."""

    def __init__(self) -> None:
        self.train, self.validation, self.test = (LeavingWorker(labelled(s)) for s in range(3))


class Assigning:
    """Assign or remove an attribute of the trainer."""

    def __init__(self, deed: str, name: str) -> None:
        self.deed = deed
        self.name = name

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Do it."""
        if self.deed == "remove":
            delattr(trainer, self.name)
        elif self.deed == "item":
            getattr(trainer, self.name)["x"] = None
        elif self.deed == "setting":
            setattr(trainer.settings, self.name, None)
        else:
            setattr(trainer, self.name, iteration)
        if self.deed == "own":  # one's own may be changed, and removed
            setattr(trainer, self.name, iteration + 1)
            delattr(trainer, self.name)
