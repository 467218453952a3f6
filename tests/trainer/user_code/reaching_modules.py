"""Modules whose code counts in places that no `state_dict` has, or that only look like such."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not
# ruff: noqa: PLW0603 - it counts as users do

from __future__ import annotations

import itertools
import multiprocessing
import os
import weakref
from contextvars import ContextVar
from functools import lru_cache
from io import StringIO
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import counted_elsewhere
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, SequentialLR
from user_modules import labelled

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 0
STATE = {"steps": 0}
SPACE = SimpleNamespace(steps=0)
CACHE: dict[object, int] = {}
CONTEXT: ContextVar[int] = ContextVar("CONTEXT", default=0)


@lru_cache
def generator() -> Random:
    """Return the only generator."""
    return Random(0)  # noqa: S311 - it is what users do


class Totals:
    """Have a number as an attribute of the class."""

    steps = 0


def count_by_default(totals: list[int] = [0]) -> None:  # noqa: B006 - it is what is tested
    """Count in a default."""
    totals[0] += 1


def count_by_attribute() -> None:
    """Count in an attribute of the function."""
    count_by_attribute.steps += 1  # type: ignore[attr-defined]


count_by_attribute.steps = 0  # type: ignore[attr-defined]


def numbers() -> Any:
    """Yield numbers."""
    number = 0
    while True:
        number += 1
        yield number


class Counting:
    """A curriculum that counts steps in some place."""

    kinds: ClassVar[list[int]] = []

    def __init__(self, where: str) -> None:
        self.where = where
        self.totals = {"steps": 0}
        self.losses: list[float] = []
        self.nested = [Part()]
        self.ids = itertools.count()
        self.numbers = numbers()
        self.items = iter([*range(10_000)])
        self.shared = multiprocessing.Value("i", 0)
        self.teacher = nn.Linear(6, 2)
        self.seen: dict[int, float] = {}
        self.cache: dict[str, Tensor] = {}
        self.best: float | None = None
        self.adjacency = torch.eye(2).to_sparse()
        self.always = itertools.repeat(0)
        self.unlabelled = iter(torch.utils.data.DataLoader(labelled(3), shuffle=True))
        self.phase = self.warm_up
        self.draws = {Random(0): "noise"}  # noqa: S311 - it is what users do
        self.weak = weakref.WeakKeyDictionary({self.nested[0]: 0})
        self.lines = StringIO()

    def warm_up(self) -> None:
        """Do nothing."""

    def cool_down(self) -> None:
        """Do nothing."""

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Keep what is saved anyway, and hook in."""
        self.trainer, self.model, self.optimizer = trainer, trainer.model, trainer.optimizer
        self.weights = [each.data for each in trainer.model.parameters()]
        self.groups = trainer.optimizer.param_groups
        vars(trainer.model[1].weight).update(steps=0)
        if self.where == "trainer":
            trainer.own_steps = 0
        hook = make_hook()
        if self.where == "optimizer hook":
            trainer.optimizer.register_step_post_hook(hook)
        if self.where == "module hook":
            trainer.model.register_forward_hook(hook)
        if self.where == "gradient hook":
            next(trainer.model.parameters()).register_hook(hook)

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Count."""
        ways: dict[str, Callable[[], object]] = {
            "global": count_in_global,
            "dictionary": lambda: STATE.update(steps=STATE["steps"] + 1),
            "namespace": lambda: increment(SPACE, "steps"),
            "class": lambda: increment(Totals, "steps"),
            "own class": lambda: self.kinds.append(batch_idx),
            "other module": count_elsewhere,
            "default": count_by_default,
            "function": count_by_attribute,
            "own dictionary": lambda: vars(self).update(totals={"steps": self.totals["steps"] + 1}),
            "list": lambda: self.losses.append(loss),
            "nested": lambda: increment(self.nested[0], "steps"),
            "iterator": lambda: next(self.ids),
            "generator": lambda: next(self.numbers),
            "items": lambda: next(self.items),
            "sparse": lambda: self.adjacency.mul_(2),
            "loader": lambda: next(self.unlabelled),
            "phase": lambda: vars(self).update(phase=self.cool_down),
            "context": lambda: CONTEXT.set(CONTEXT.get() + 1),
            "cached generator": lambda: generator().random(),
            "environment": lambda: os.environ.update(REACHED=f"{batch_idx} of {iteration}"),
            "shared": lambda: increment(self.shared, "value"),
            "teacher": lambda: self.teacher.weight.data.add_(1),
            "trainer": lambda: setattr(trainer, "own_steps", trainer.own_steps + 1),
            "new attribute": lambda: vars(self).update(steps=getattr(self, "steps", 0) + 1),
            "new keys": lambda: self.seen.update({iteration: loss}),
            "best": lambda: vars(self).update(best=loss - iteration),
            "dropout": lambda: increment(trainer.model[0], "p", 0.01),
            "smoothing": lambda: increment(trainer.criterion, "label_smoothing", 0.01),
            "precision": lambda: torch.set_float32_matmul_precision("medium"),
            "of a parameter": lambda: vars(trainer.model[1].weight).update(steps=iteration),
            "key": lambda: next(iter(self.draws)).random(),
            "weak": lambda: self.weak.update({self.nested[0]: iteration}),
            "lines": lambda: self.lines.write("step"),
            "cache": lambda: (
                self.cache.setdefault("mask", torch.ones(3)),
                CACHE.setdefault("mask", 1),
            ),
        }
        ways.get(self.where, str)()


def count_in_global() -> None:
    """Count."""
    global STEPS
    STEPS += 1


def count_elsewhere() -> None:
    """Count in another module."""
    counted_elsewhere.STEPS += 1


def increment(value: Any, name: str, by: float = 1) -> None:
    """Add to an attribute."""
    setattr(value, name, getattr(value, name) + by)


class Part:
    """A part of a module, without a state."""

    def __init__(self) -> None:
        self.steps = 0


def make_hook() -> Any:
    """Return a hook that counts in its closure."""
    calls = 0

    def hook(*_values: Any) -> None:
        nonlocal calls
        calls += 1

    return hook


class SavesTheGlobal:
    """A curriculum that saves a number that is not its own."""

    def __init__(self, how: str = "saves") -> None:
        self.how = how

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Count."""
        global STEPS
        STEPS += 1

    def state_dict(self) -> dict[str, int]:
        """Return the number."""
        return {"steps": STEPS if self.how == "saves" else 0}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Use a number."""
        global STEPS
        if self.how == "saves":
            STEPS = state["steps"]


class ReadsTheGlobal(nn.Linear):
    """A model whose code names the number that the curriculum saves."""

    def __init__(self) -> None:
        super().__init__(6, 2)

    def forward(self, samples: Tensor) -> Tensor:
        """Map samples (batch, 6) to logits (batch, 2)."""
        return super().forward(samples) * (1 + 0 * STEPS)


class Forgets(nn.Linear):
    """A model with a buffer that is not saved."""

    def __init__(self) -> None:
        super().__init__(6, 2)
        self.register_buffer("mean", torch.zeros(6), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Map samples (batch, 6) to logits (batch, 2)."""
        self.mean += samples.mean(0)
        return super().forward(samples)


class Dropping(nn.Sequential):
    """A model with dropout."""

    def __init__(self) -> None:
        super().__init__(nn.Dropout(0.5), nn.Linear(6, 2))


class Calls(torch.optim.SGD):
    """An optimizer that counts its steps."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)
        self.calls = 0

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Count."""
        self.calls += 1
        super().step()


def make_schedule(optimizer: Any) -> LambdaLR:
    """Make a schedule that counts in a closure."""
    calls = 0

    def factor(_epoch: int) -> float:
        nonlocal calls
        calls += 1
        return 1 / (1 + calls)

    return LambdaLR(optimizer, factor)


def make_sequence(optimizer: Any) -> SequentialLR:
    """Make a schedule of schedules."""
    schedules = [make_schedule(optimizer), make_schedule(optimizer)]
    return SequentialLR(optimizer, schedules, milestones=[50])


class Collate:
    """Collate samples, and count."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, samples: list[Any]) -> Any:
        """Return a batch."""
        self.calls += 1
        return torch.utils.data.default_collate(samples)


class CountingData:
    """Data whose samples count."""

    def __init__(self) -> None:
        self.train, self.validation, self.test = (CountedSamples(seed) for seed in range(3))


class CountedSamples(torch.utils.data.Dataset[Any]):
    """Samples that count how often they are made."""

    def __init__(self, seed: int) -> None:
        self.samples = labelled(seed)
        self.made = 0

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        """Make a sample."""
        self.made += 1
        return self.samples[index]


class Metric:
    """A metric that never forgets."""

    def __init__(self) -> None:
        self.batches = 0

    def reset(self) -> None:
        """Forget nothing."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count."""
        self.batches += 1

    def compute(self) -> float:
        """Return the number."""
        return float(self.batches)
