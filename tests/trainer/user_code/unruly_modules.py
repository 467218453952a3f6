"""Modules that do what no module should, and those whose numbers hang on a chance."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import TensorDataset
from user_modules import NoisySamples, labelled


class MissingSamples(NoisySamples):
    """Read files that are not there."""

    def __getitem__(self, index: int) -> Any:
        """Fail."""
        return Path("no", "such", str(index)).read_text()


class Missing:
    """Offer data whose training samples cannot be read."""

    def __init__(self) -> None:
        self.train, self.validation, self.test = MissingSamples(labelled(0)), *map(labelled, (1, 2))


class Exiting(nn.Linear):
    """End the program when it is made."""

    def __init__(self) -> None:
        sys.exit(0)


class ExitingSamples(NoisySamples):
    """End the program."""

    def __getitem__(self, index: int) -> Any:
        """Do not make a sample."""
        sys.exit(0)


class ExitingData:
    """Offer training samples that end the program."""

    def __init__(self) -> None:
        self.train, self.validation, self.test = ExitingSamples(labelled(0)), *map(labelled, (1, 2))


class ExitingAtTheEnd(nn.CrossEntropyLoss):
    """End the program after the test, when the results are not written yet."""

    def cb_on_train_end(self, trainer: object, test_results: dict[str, Any]) -> None:
        """Exit."""
        sys.exit(0)


class Stopping:
    """Ask for a stop, as if a signal had come, or for a pause."""

    def __init__(self, name: str = "stop_requested") -> None:
        self.name = name

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: dict[str, Any]) -> None:
        """Ask."""
        setattr(trainer, self.name, True)


class Unordered:
    """Offer data whose classes are numbered in the order of a set."""

    def __init__(self) -> None:
        names = ["cat", "dog", "owl", "fox", "bee", "ant", "emu", "elk"]
        numbers = {name: number for number, name in enumerate(set(names))}
        targets = torch.tensor([numbers[names[place % 8]] % 2 for place in range(44)])
        self.train, self.validation, self.test = (
            TensorDataset(labelled(seed).tensors[0], targets) for seed in range(3)
        )


class Raising:
    """Have a bug at an event."""

    def __init__(self, event: str) -> None:
        self.event = event

    def _act(self, event: str) -> None:
        if event == self.event:
            raise LookupError("a bug of the user's")

    def cb_on_train_begin(self, trainer: object) -> None:
        """Fail, if this is the moment."""
        self._act("train_begin")

    def cb_on_iteration_begin(self, trainer: object, iteration: int) -> None:
        """Fail, if this is the moment."""
        self._act("iteration_begin")

    def cb_on_evaluation_begin(self, trainer: object, iteration: int) -> None:
        """Fail, if this is the moment."""
        self._act("evaluation_begin")

    def cb_on_step_end(self, trainer: object, iteration: int, batch_idx: int, loss: float) -> None:
        """Fail, if this is the moment."""
        self._act("step_end")

    def cb_on_train_end(self, trainer: object, test_results: dict[str, Any]) -> None:
        """Fail, if this is the moment."""
        self._act("train_end")
