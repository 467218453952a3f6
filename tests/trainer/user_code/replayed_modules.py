"""Models and callbacks of which a graph repeats all, or not all."""

from __future__ import annotations

import random
import string
from typing import Any

import torch
from torch import Tensor, nn
from user_modules import Saboteur

WIDTH = 6


class Noisy(nn.Sequential):
    """A model with all that a graph can repeat: weights, random numbers and running statistics."""

    def __init__(self) -> None:
        super().__init__(
            nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
        )


class Odd(Noisy):
    """A model that does something in Python, too."""

    def forward(self, x: Tensor) -> Tensor:
        return self.changed(super().forward(x))

    def changed(self, x: Tensor) -> Tensor:
        return x


class Counting(Odd):
    """A model that counts its steps."""

    steps = 0

    def changed(self, x: Tensor) -> Tensor:
        self.steps += 1
        return x


class Remembering(Odd):
    """A model that keeps a tensor, which is none of its buffers."""

    memory = torch.zeros(())

    def changed(self, x: Tensor) -> Tensor:
        self.memory = x.detach().mean()
        return x


class Drawing(Odd):
    """A model that draws from a generator of the CPU."""

    def changed(self, x: Tensor) -> Tensor:
        return x * (1 + random.random())  # noqa: S311 - as users do


class Waiting(Odd):
    """A model that waits for the device, which is not possible while it records."""

    def changed(self, x: Tensor) -> Tensor:
        return x if x.sum().item() else x + 1


class Secret(Odd):
    """A model that anneals a value at each evaluation, where no search finds it."""

    def changed(self, x: Tensor) -> Tensor:
        if not self.training:
            string.whitespace += " "
        return x * len(string.whitespace)


class Annealing:
    """Changes the model in Python between iterations."""

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        trainer.model[3].p = 0.1 * iteration


class Freezing:
    """Freezes a layer later."""

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        trainer.model[0].requires_grad_(iteration < 3)


class Updating:
    """Makes the updates itself."""

    def cb_on_update(self, trainer: Any, batches: Any) -> Tensor:
        loss, *_ = trainer.update.call(batches[0])
        trainer.optimizer.zero_grad()
        loss.backward()
        trainer.optimizer.step()
        return loss  # type: ignore[no-any-return]


class Interrupting:
    """Interrupts between iterations."""

    def __init__(self, **when: Any) -> None:
        self._saboteur = Saboteur(**when)

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        self._saboteur.cb_on_iteration_begin(trainer, iteration)

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: Any) -> None:
        self._saboteur.cb_on_iteration_end(trainer, iteration, metrics)


class Stepwise:
    """Hears of each step."""

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        pass
