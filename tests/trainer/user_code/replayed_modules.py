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


class CountingFew(Odd):
    """A model that counts its steps with few samples, such as the last of each pass."""

    steps = 0

    def changed(self, x: Tensor) -> Tensor:
        self.steps += self.training and len(x) < 5
        return x


class Lazy(nn.Sequential):
    """A model whose weights are made in its first step."""

    def __init__(self) -> None:
        super().__init__(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))


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


class Summing(Odd):
    """A model that adds up in a large tensor, which it saves in a way of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.sums = torch.zeros(300_000)

    def changed(self, x: Tensor) -> Tensor:
        if not self.training:
            return x * (1 + self.sums[0])
        self.sums.add_(x.detach().mean())
        return x

    def get_extra_state(self) -> Tensor:
        return self.sums

    def set_extra_state(self, state: Tensor) -> None:
        self.sums.copy_(state)


class Assigning(Odd):
    """A model that replaces a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def changed(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean()
        return x - self.mean


class InPlace(Odd):
    """A model that changes its inputs."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.sub_(0.1).div_(2))


class Passing(Odd):
    """A model that counts its trainings, and changes from the fifth on."""

    passes = 0

    def train(self, mode: bool = True) -> Passing:  # noqa: FBT001, FBT002 - PyTorch's
        self.passes += mode
        super().train(mode)
        return self

    def changed(self, x: Tensor) -> Tensor:
        return x * 2 if self.passes >= 5 else x

    def get_extra_state(self) -> int:
        return self.passes

    def set_extra_state(self, state: int) -> None:
        self.passes = state


class Own(torch.optim.SGD):
    """An optimizer that may do anything."""


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


class Reading:
    """Keeps and reads the gradients of the last step of an iteration."""

    def __init__(self) -> None:
        self.kept: list[Tensor] = []

    def cb_on_iteration_end(self, trainer: Any, _: int, metrics: dict[str, Any]) -> None:
        now = [each.grad for each in trainer.model.parameters()]
        for before, after in zip(self.kept, now, strict=False):
            metrics["turn"] = metrics.get("turn", 0) + (before * after).sum().item()
        self.kept = now


class Restarting:
    """Clears what the optimizer keeps."""

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        if iteration == 3:
            trainer.optimizer.state.clear()


class Looking:
    """Counts steps in a hook of the optimizer, and changes the weights at each seventh."""

    steps = 0

    def cb_on_train_begin(self, trainer: Any) -> None:
        trainer.optimizer.register_step_post_hook(self.look)

    def look(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        self.steps += 1
        if self.steps % 7 == 0:
            with torch.no_grad():
                for each in optimizer.param_groups[0]["params"]:
                    each.mul_(0.9)

    def state_dict(self) -> dict[str, int]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.steps = state["steps"]


class Freezing:
    """Freezes a layer later."""

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        trainer.model[0].requires_grad_(iteration < 3)


class Thawing:
    """Trains a layer from the third iteration on."""

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        trainer.model[0].requires_grad_(iteration >= 3)


class Exhausting:
    """Changes the model after each pass."""

    def cb_on_loader_exhausted(self, trainer: Any, iteration: int) -> None:
        trainer.model[3].p = min(0.9, 0.1 * iteration)


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
