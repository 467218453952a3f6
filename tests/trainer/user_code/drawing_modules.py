"""Modules that draw from generators of their own, seeded or not."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from user_modules import Saboteur, Tiny

GLOBAL = np.random.default_rng()


def closed_over() -> Any:
    """Return what draws from a generator that only it knows."""
    generator = random.Random()  # noqa: S311 - no secret
    return lambda: generator.gauss(0, 1)


def unseeded() -> torch.Generator:
    """Make a generator of PyTorch with a seed of the system's."""
    generator = torch.Generator()
    generator.seed()
    return generator


class Drawing(nn.Linear):
    """A model that adds noise from a generator of its own while it trains."""

    def __init__(self, way: str, seed: int | None = None) -> None:
        super().__init__(6, 2)
        self.way = way
        if way in MAKERS:
            self.generator = MAKERS[way](seed)

    def forward(self, samples: Tensor) -> Tensor:
        """Map samples (batch, 6) to logits (batch, 2)."""
        return (
            super().forward(samples + self.noise()) if self.training else super().forward(samples)
        )

    def noise(self) -> float:
        """Draw."""
        if self.way == "late" and not hasattr(self, "generator"):
            self.generator = np.random.default_rng()
        return float(
            DRAWS.get(self.way, lambda it: it.normal())(getattr(self, "generator", GLOBAL))
        )


MAKERS: dict[str, Any] = {
    "Python": random.Random,
    "NumPy": np.random.default_rng,
    "NumPy, old": np.random.RandomState,
    "Philox": lambda seed: np.random.Generator(np.random.Philox(seed)),
    "bits": np.random.SFC64,
    "PyTorch": lambda seed: unseeded() if seed is None else torch.Generator().manual_seed(seed),
    "closure": lambda _: closed_over(),
}

DRAWS: dict[str, Any] = {
    "PyTorch": lambda it: torch.rand((), generator=it),
    "bits": lambda it: np.random.Generator(it).normal(),
    "closure": lambda it: it(),
    "Python": lambda it: it.gauss(0, 1),
}


class Langevin(torch.optim.SGD):
    """An optimizer that adds noise to the weights."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)
        self.generator = unseeded()

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Step, and add noise."""
        super().step()
        for group in self.param_groups:
            for each in group["params"]:
                each.add_(torch.randn(each.shape, generator=self.generator), alpha=1e-3)


class Halving(torch.optim.lr_scheduler.LRScheduler):
    """A scheduler that halves the rate by chance."""

    def get_lr(self) -> list[Any]:
        """Draw, but not in the constructor, when nothing is seeded yet."""
        by = 0.5 + 0.5 * GLOBAL.random() if self.last_epoch else 1
        return [group["lr"] * by for group in self.optimizer.param_groups]


class Nudging:
    """A curriculum whose callbacks draw, from a generator that is made when the training begins."""

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Make it."""
        self.generator = random.Random(5)  # noqa: S311 - no secret

    def cb_on_step_begin(self, trainer: Any, iteration: int, batch_idx: int) -> None:
        """Nudge the weights."""
        with torch.no_grad():
            trainer.model.layers[-1].bias.add_(0.01 * self.generator.random())


class DrawingData(Tiny):
    """A data module whose callbacks draw."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = np.random.default_rng()

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Change the learning rate."""
        trainer.optimizer.param_groups[0]["lr"] = 0.1 * (1 + self.generator.random())


class FragileDrawingData(DrawingData, Saboteur):
    """A data module whose callbacks draw, and do something bad."""

    def __init__(self, **how: Any) -> None:
        DrawingData.__init__(self)
        Saboteur.__init__(self, **how)

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Change the learning rate, and act, if this is the moment."""
        DrawingData.cb_on_step_end(self, trainer, iteration, batch_idx, loss)
        Saboteur.cb_on_step_end(self, trainer, iteration, batch_idx, loss)
