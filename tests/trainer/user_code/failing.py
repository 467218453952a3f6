"""Modules that fail in every place where the trainer calls them, in every way."""

# ruff: noqa: ARG001, ARG002, D105 - callbacks have parameters, and all methods do the same

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset, Sampler, default_collate, get_worker_info
from user_modules import labelled

PLAN = {"where": "", "deed": ""}


class OwnError(Exception):
    """An error of the user's own, with arguments that cannot be given again."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


class Ending(BaseException):
    """An exception that is not an Exception."""


def raising(error: BaseException) -> Callable[[], None]:
    """Return what raises an error."""

    def fail() -> None:
        raise error

    return fail


def recurse() -> None:
    """Never come back."""
    recurse()


def raise_own() -> None:
    """Raise an error that cannot be pickled."""
    raise OwnError(1, 2)


def raise_in_lines() -> None:
    """Raise an error of several lines."""
    raise RuntimeError("first line\nsecond line")


DEEDS: dict[str, Callable[[], Any]] = {
    "ValueError": raising(ValueError("bad value")),
    "TypeError": raising(TypeError("bad type")),
    "KeyError": raising(KeyError("key")),
    "IndexError": raising(IndexError("index")),
    "AttributeError": lambda: PLAN.no_such_attribute,  # type: ignore[attr-defined]
    "RuntimeError": raise_in_lines,
    "ZeroDivisionError": lambda: 1 / 0,
    "AssertionError": raising(AssertionError()),
    "NotImplementedError": raising(NotImplementedError()),
    "ImportError": lambda: __import__("no_such_module_of_anybody"),
    "FileNotFoundError": raising(FileNotFoundError(errno.ENOENT, "no such file", "x")),
    "OSError": raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
    "MemoryError": raising(MemoryError()),
    "too much memory": lambda: [0] * 10**15,
    "RecursionError": recurse,
    "StopIteration": raising(StopIteration()),
    "GeneratorExit": raising(GeneratorExit()),
    "OwnError": raise_own,
    "KeyboardInterrupt": raising(KeyboardInterrupt()),
    "Ending": raising(Ending("over")),
    "exit 0": lambda: sys.exit(0),
    "exit 3": lambda: sys.exit(3),
    "exit with words": lambda: sys.exit("enough"),
    "exit at once": lambda: os._exit(0),
}


def at(where: str) -> None:
    """Fail, if this is the place."""
    if PLAN["where"] == where:
        DEEDS[PLAN["deed"]]()


class Samples(Dataset[Any]):
    """Samples that cannot be made."""

    def __init__(self) -> None:
        self.samples = labelled(0)

    def __len__(self) -> int:
        at("data.__len__")
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        if index % 20 == 7:
            at("data.__getitem__")
            if get_worker_info() is not None:
                at("data.__getitem__ in a worker")
        return self.samples[index]


class Stream(IterableDataset[Any]):
    """Samples of a stream."""

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch."""
        at("stream.set_epoch")

    def __iter__(self) -> Iterator[Any]:
        at("stream.__iter__")
        for number, sample in enumerate(labelled(0)):
            if number == 20:
                at("stream, between two samples")
                if get_worker_info() is not None:
                    at("stream, in a worker")
            yield sample


class Evaluated(Samples):
    """Samples of the validation."""

    def __getitem__(self, index: int) -> Any:
        if index == 40:
            at("data.validation.__getitem__")
        return self.samples[index]


class Data:
    """A data module that says what fails."""

    def __init__(self, where: str, deed: str) -> None:
        PLAN.update(where=where, deed=deed)
        at("data.__init__")
        self.validation, self.test = Evaluated(), Samples()

    @property
    def train(self) -> Any:
        at("data.train")
        return Stream() if PLAN["where"].startswith("stream") else Samples()


def collate(samples: list[Any]) -> Any:
    """Collate samples."""
    at("collate_fn")
    if get_worker_info() is not None:
        at("collate_fn in a worker")
    return default_collate(samples)


def begin_worker(number: int) -> None:
    """Begin a worker."""
    at("worker_init_fn")


class Order(Sampler[int]):
    """A sampler."""

    def __init__(self, data_source: Any) -> None:
        at("sampler.__init__")
        self.count = len(data_source)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        at("sampler.__iter__")
        return iter(range(self.count))


class Model(nn.Module):
    """A model."""

    def __init__(self) -> None:
        at("model.__init__")
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, samples: Tensor) -> Tensor:
        at("model.forward" if self.training else "model.forward in evaluation")
        outputs: Tensor = self.layer(samples)
        return outputs

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        at("model.state_dict")
        return super().state_dict(*args, **kwargs)


class Updating(Model):
    """A model that makes the updates."""

    def cb_on_update(self, trainer: Any, batches: list[Any]) -> Tensor:
        at("cb_on_update")
        loss, *_ = trainer.update.call(batches[0])
        trainer.optimizer.zero_grad()
        loss.backward()
        at("cb_on_update, after backward")
        trainer.optimizer.step()
        returned: Tensor = loss
        return returned


class Loss(nn.CrossEntropyLoss):
    """A criterion."""

    def __init__(self) -> None:
        at("criterion.__init__")
        super().__init__()

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        at("criterion.forward")
        return super().forward(logits, targets)


class Optimizer(torch.optim.SGD):
    """An optimizer."""

    def __init__(self, params: Any) -> None:
        at("optimizer.__init__")
        super().__init__(params, lr=0.1)

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 - PyTorch's
        at("optimizer.zero_grad")
        super().zero_grad(set_to_none)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        at("optimizer.step")
        super().step()

    def state_dict(self) -> dict[str, Any]:
        at("optimizer.state_dict")
        return super().state_dict()


class Scheduler(torch.optim.lr_scheduler.LRScheduler):
    """A scheduler."""

    def __init__(self, optimizer: Any) -> None:
        at("scheduler.__init__")
        super().__init__(optimizer)

    def step(self, epoch: int | None = None) -> None:
        if getattr(self, "_step_count", 0):
            at("scheduler.step")
        super().step(epoch)

    def get_lr(self) -> list[Any]:
        at("scheduler.get_lr")
        return [group["lr"] for group in self.optimizer.param_groups]


class Metric:
    """A metric."""

    def __init__(self) -> None:
        at("metric.__init__")

    def reset(self) -> None:
        at("metric.reset")

    def update(self, preds: Tensor, target: Tensor) -> None:
        at("metric.update")

    def compute(self) -> float:
        at("metric.compute")
        return 1.0


class Curriculum:
    """A curriculum with all callbacks."""

    def __init__(self) -> None:
        at("curriculum.__init__")

    def state_dict(self) -> dict[str, Any]:
        at("curriculum.state_dict")
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        at("curriculum.load_state_dict")

    def cb_on_train_begin(self, trainer: Any) -> None:
        at("cb_on_train_begin")

    def cb_on_train_end(self, trainer: Any, test_results: Any) -> None:
        at("cb_on_train_end")

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        at("cb_on_iteration_begin")

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: Any) -> None:
        at("cb_on_iteration_end")

    def cb_on_evaluation_begin(self, trainer: Any, iteration: int) -> None:
        at("cb_on_evaluation_begin")

    def cb_on_evaluation_end(self, trainer: Any, iteration: int, metrics: Any) -> None:
        at("cb_on_evaluation_end")

    def cb_on_loader_exhausted(self, trainer: Any, iteration: int) -> None:
        at("cb_on_loader_exhausted")

    def cb_on_step_begin(self, trainer: Any, iteration: int, batch_idx: int) -> None:
        at("cb_on_step_begin")

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        at("cb_on_step_end")
