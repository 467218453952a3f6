"""Modules with several optimizers: adversaries, and others that keep an optimizer to themselves."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as compared


class Adversaries(nn.Module):
    """A generator, trained by the optimizer of the config, and a critic, trained by one of its own."""

    def __init__(self, critic_optimizer: partial[torch.optim.Optimizer], returns: str = "") -> None:
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.2), nn.Linear(6, 6))
        self.critic = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
        self.critic_optimizer = critic_optimizer(self.critic.parameters())
        self.schedulers = [torch.optim.lr_scheduler.StepLR(self.critic_optimizer, 7)]
        self.returns = returns

    def forward(self, samples: Tensor) -> Tensor:
        """Return how real the samples are, for two classes."""
        score = self.critic(samples)
        return torch.cat([score, -score], 1)

    def cb_on_update(self, trainer: Any, batches: list[Any]) -> Any:
        """Train the critic, then the generator."""
        (samples, _), *_ = batches
        made = self.generator(torch.randn(len(samples), 4, device=samples.device))
        real, fake = self.critic(samples), self.critic(made.detach())
        loss = compared(real, torch.ones_like(real)) + compared(fake, torch.zeros_like(fake))
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()
        self.schedulers[0].step()
        fooled = self.critic(made)
        trainer.optimizer.zero_grad()
        compared(fooled, torch.ones_like(fooled)).backward()
        trainer.optimizer.step()
        if self.returns == "nothing is left":
            batches.clear()
        returned = {
            "number": loss.item(),
            "number of NumPy": np.float64(loss.item()),
            "text": "x",
            "nothing": None,
            "vector": real,
        }
        return returned.get(self.returns, loss)


class Holding(nn.Linear):
    """A model that holds an optimizer of its own, and leaves the updates to the trainer."""

    def __init__(self) -> None:
        super().__init__(6, 2)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=0.1)


class Alone(Holding):
    """A model that leaves nothing to the optimizer of the config."""

    def cb_on_update(self, trainer: Any, batches: list[Any]) -> float:
        """Do nothing."""
        return 0.0


class Updating:
    """A curriculum that makes updates, too."""

    def cb_on_update(self, trainer: Any, batches: list[Any]) -> float:
        """Do nothing."""
        return 0.0


class Noising:
    """A curriculum with a parameter, which it saves, and an optimizer, which it does not."""

    def __init__(self, hold: str) -> None:
        self.strength = nn.Parameter(torch.ones(()))
        optimizer = torch.optim.Adam([self.strength], lr=0.1)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        self.held: Any = {
            "list": [optimizer, scheduler],
            "dict": {"a": optimizer, 1: scheduler},
        }.get(hold, optimizer)
        self.optimizer, self.scheduler = optimizer, scheduler
        if hold in ("list", "dict"):
            del self.optimizer, self.scheduler

    def state_dict(self) -> dict[str, Any]:
        """Return the parameter."""
        return {"strength": self.strength.detach()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        with torch.no_grad():
            self.strength.copy_(state["strength"])

    def cb_on_step_begin(self, trainer: Any, iteration: int, batch_idx: int) -> None:
        """Train the strength: its optimizer knows how often it was."""
        held = [*self.held.values()] if isinstance(self.held, dict) else self.held
        optimizer, scheduler = held if isinstance(held, list) else (self.optimizer, self.scheduler)
        optimizer.zero_grad()
        (self.strength**2 + batch_idx * self.strength).backward()
        optimizer.step()
        scheduler.step()

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Disturb the model by what Adam remembers."""
        held = [*self.held.values()] if isinstance(self.held, dict) else self.held
        optimizer = held[0] if isinstance(held, list) else self.optimizer
        moment = optimizer.state[self.strength]["exp_avg_sq"]
        with torch.no_grad():
            for parameter in trainer.model.parameters():
                parameter.add_(1e-4 * moment * optimizer.param_groups[0]["lr"])


class Storing:
    """A curriculum that refers to the optimizer and scheduler of the run."""

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Keep them."""
        self.optimizer, self.scheduler = trainer.optimizer, trainer.scheduler
