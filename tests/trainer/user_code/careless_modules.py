"""Modules that look right, and in which nothing would be trained, saved or called."""

# ruff: noqa: D105 - callbacks have parameters, used or not

from __future__ import annotations

import os
import tempfile
import threading
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset, default_collate
from user_modules import Tiny, labelled


class Net(nn.Module):
    """A model that does one thing wrong."""

    def __init__(self, how: str = "") -> None:
        super().__init__()
        self.layer, self.how = nn.Linear(6, 2), how
        if how.startswith("hides "):
            self.__dict__[how.removeprefix("hides ")] = []
        if how == "has a lazy layer that is not called":
            self.other = nn.LazyLinear(2)
        if how == "loses its modules":
            del self.__dict__["_modules"]
        if how == "is half":
            self.half()
        if how == "uses gradients as they come":
            for parameter in self.parameters():
                parameter.register_post_accumulate_grad_hook(_step)

    def forward(self, samples: Tensor) -> Tensor:
        outputs: Tensor = self.layer(samples.to(self.layer.weight.dtype))
        if self.how == "returns a new tensor":
            return torch.zeros(len(samples), 2, requires_grad=True)
        if self.how == "makes a layer in forward":
            made: Tensor = nn.Linear(6, 2)(samples)
            return made
        if self.how == "creates a parameter":
            self.scale = getattr(self, "scale", None) or nn.Parameter(torch.ones(()))
            return outputs * self.scale
        return outputs

    def to(self, *args: Any, **kwargs: Any) -> Any:
        moved = super().to(*args, **kwargs)
        return None if self.how == "to" else moved

    def parameters(self, recurse: bool = True) -> Any:  # noqa: FBT001, FBT002 - PyTorch's
        if self.how == "yields names":
            return self.named_parameters()
        return None if self.how == "yields nothing" else super().parameters(recurse)


def _step(parameter: Tensor) -> None:
    """Train a parameter as soon as its gradient is there, and forget it."""
    assert parameter.grad is not None
    parameter.data -= 0.1 * parameter.grad
    parameter.grad = None


class OfCopies(torch.optim.SGD):
    """An optimizer of copies of the parameters."""

    def __init__(self, params: Any) -> None:
        super().__init__([each.clone().detach().requires_grad_() for each in params], lr=0.1)


def loss_anew(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the loss without its history."""
    return torch.tensor(nn.functional.cross_entropy(outputs, targets).item(), requires_grad=True)


class Masked(nn.Module):
    """A criterion that wants more than it gets."""

    def forward(self, outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Return the loss."""
        return nn.functional.cross_entropy(outputs, targets) * mask.mean()


class Silent:
    """A curriculum whose state cannot be handed back."""

    def state_dict(self) -> dict[str, int]:
        """Return a state."""
        return {}

    def load_state_dict(self) -> None:
        """Take none."""


class Emptying:
    """A callback that takes all samples away."""

    def __init__(self, part: str) -> None:
        self.part = part

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Leave none."""
        if iteration != 2:
            return
        if self.part == "other":
            trainer.data.train = labelled(0)
        elif self.part == "no tensors":
            trainer.data.train.tensors = ()
        elif self.part == "fewer targets":
            inputs, targets = trainer.data.train.tensors
            trainer.data.train.tensors = (inputs, targets[:3])
        elif self.part == "model":
            trainer.model.layer = nn.Linear(6, 2)
        else:
            samples = getattr(trainer.data, self.part)
            samples.tensors = tuple(each[:0] for each in samples.tensors)


class Items(Dataset[Any]):
    """Samples that are all the same."""

    def __init__(self, item: Any) -> None:
        self.item = tuple(item)

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> Any:
        return self.item


class OfItems(Tiny):
    """Offer such a training set."""

    def __init__(self, item: Any) -> None:
        super().__init__()
        self.train: Any = Items(item)


class Sparse(Tiny):
    """Offer tensors of which no rows can be taken."""

    def __init__(self) -> None:
        super().__init__()
        inputs, targets = self.train.tensors
        self.train = TensorDataset(inputs.to_sparse(), targets)


def empty(samples: list[Any]) -> Any:
    """Leave no sample in a batch."""
    inputs, targets = default_collate(samples)
    return inputs[:0], targets[:0]


class Negative(torch.optim.lr_scheduler.LRScheduler):
    """A schedule that forgets that rates are positive."""

    def get_lr(self) -> list[Any]:
        return [-0.1 if self._step_count > 1 else 0.1 for _ in self.optimizer.param_groups]


class Wandering(Tiny):
    """A data module that changes the current folder."""

    def __init__(self) -> None:
        super().__init__()
        os.chdir(tempfile.gettempdir())


class LockedSamples(Dataset[Any]):
    """Samples that cannot be sent to another process."""

    def __init__(self) -> None:
        self.samples, self.lock = labelled(0), threading.Lock()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        with self.lock:
            return self.samples[index]


class Locked(Tiny):
    """Offer such a training set."""

    def __init__(self) -> None:
        super().__init__()
        self.train: Any = LockedSamples()
