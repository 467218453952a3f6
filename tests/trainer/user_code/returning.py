"""Modules that return the wrong thing, in every place where the trainer uses what they return."""

# ruff: noqa: ARG002, D105 - callbacks have parameters, and all methods do the same

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset, default_collate
from user_modules import labelled

PLAN = {"where": "", "what": ""}


class Thing:
    """An object of no use."""


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "text": lambda: "text",
    "a number": lambda: 3,
    "a fraction": lambda: 0.5,
    "minus one": lambda: -1,
    "an empty list": list,
    "a list of texts": lambda: ["a", "b"],
    "an empty dictionary": dict,
    "a dictionary of things": lambda: {"a": Thing()},
    "a dictionary with a number as its key": lambda: {3: 0.5},
    "a thing": Thing,
    "a class": lambda: Thing,
    "a function": lambda: lambda: 0,
    "a vector": lambda: torch.ones(3),
    "a matrix": lambda: torch.ones(2, 2),
    "an empty tensor": lambda: torch.ones(0),
    "an array": lambda: np.ones(3),
    "a number of NumPy": lambda: np.float64(0.5),
    "a complex number": lambda: 1j,
    "bytes": lambda: b"x",
    "a pair": lambda: (torch.ones(6), 1),
    "a generator": lambda: iter([1, 2]),
    "no number": lambda: float("nan"),
}


def or_wrong(where: str, right: Any) -> Any:
    """Return what is right, or something else, if this is the place."""
    return VALUES[PLAN["what"]]() if PLAN["where"] == where else right


class Samples(Dataset[Any]):
    """Samples."""

    def __init__(self) -> None:
        self.samples = labelled(0)

    def __len__(self) -> int:
        length: int = or_wrong("data.__len__", len(self.samples))
        return length

    def __getitem__(self, index: int) -> Any:
        return or_wrong("data.__getitem__", self.samples[index])


class Stream(IterableDataset[Any]):
    """Samples of a stream."""

    def __iter__(self) -> Any:
        samples = [or_wrong("a sample of a stream", each) for each in labelled(0)]
        return or_wrong("stream.__iter__", iter(samples))


class Data:
    """A data module that says what is wrong."""

    def __init__(self, where: str, what: str) -> None:
        PLAN.update(where=where, what=what)
        self.train = or_wrong("data.train", Stream() if "stream" in where else Samples())
        self.validation, self.test = or_wrong("data.validation", Samples()), Samples()


def collate(samples: list[Any]) -> Any:
    """Collate samples."""
    return or_wrong("collate_fn", default_collate(samples))


class Order:
    """A sampler."""

    def __iter__(self) -> Iterator[Any]:
        found: Iterator[Any] = or_wrong("sampler.__iter__", iter([1, or_wrong("an index", 2)]))
        return found


class Model(nn.Module):
    """A model."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, samples: Any) -> Any:
        outputs = self.layer(samples)
        return or_wrong("model.forward", or_wrong(_now(self), outputs))


class Updating(Model):
    """A model that makes the updates."""

    def cb_on_update(self, trainer: Any, batches: list[Any]) -> Any:
        """Return what counts as the loss."""
        loss, *_ = trainer.update.call(batches[0])
        trainer.optimizer.zero_grad()
        loss.backward()
        trainer.optimizer.step()
        return or_wrong("cb_on_update", loss)


def _now(model: nn.Module) -> str:
    return "model.forward, training" if model.training else "model.forward, evaluating"


class Loss(nn.CrossEntropyLoss):
    """A criterion."""

    def forward(self, logits: Any, targets: Any) -> Any:
        if PLAN["where"] == "criterion.forward":
            return or_wrong("criterion.forward", None)
        if PLAN["where"] == "criterion.forward, evaluating" and not torch.is_grad_enabled():
            return or_wrong("criterion.forward, evaluating", None)
        if PLAN["where"].startswith("model"):
            return logits.mean() if isinstance(logits, torch.Tensor) else logits
        return super().forward(logits, targets)


class Scheduler(torch.optim.lr_scheduler.LRScheduler):
    """A scheduler."""

    def get_lr(self) -> list[Any]:
        rates: list[Any] = or_wrong("scheduler.get_lr", [or_wrong("a rate", 0.1)])
        return rates


class Metric:
    """A metric."""

    def reset(self) -> None:
        """Forget."""

    def update(self, preds: Any, target: Any) -> None:
        """Add."""

    def compute(self) -> Any:
        """Return a value."""
        return or_wrong("metric.compute", 1.0)


class Curriculum:
    """A curriculum."""

    def state_dict(self) -> Any:
        """Return the state."""
        return or_wrong("curriculum.state_dict", {"a": or_wrong("a state", 1)})

    def load_state_dict(self, state: Any) -> None:
        """Use it."""

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Restrict the samples."""
        if PLAN["where"] == "restrict":
            trainer.batches.restrict(or_wrong("restrict", None))

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: Any) -> None:
        """Add a metric."""
        if PLAN["where"] == "a metric":
            metrics["mine"] = or_wrong("a metric", None)
        if PLAN["where"] == "the name of a metric":
            name = or_wrong("the name of a metric", None)
            if name.__hash__ is not None:
                metrics[name] = 1.0

    def cb_on_train_end(self, trainer: Any, test_results: Any) -> None:
        """Add a result."""
        if PLAN["where"] == "a result":
            test_results["mine"] = or_wrong("a result", None)
