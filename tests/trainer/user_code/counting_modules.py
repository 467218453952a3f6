"""Modules that count: in attributes that nothing saves, or where they are saved."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Count:
    """A curriculum that counts steps."""

    def __init__(self) -> None:
        self.steps = 0
        self.name = "x"

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Count."""
        self.steps += 1


class Sum:
    """A curriculum that sums up losses in a tensor."""

    def __init__(self) -> None:
        self.losses = torch.zeros(())

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Sum up."""
        self.losses += loss


class Noise(nn.Module):
    """A part of a model that grows weaker with each call."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = 1.0

    def forward(self, samples: Tensor) -> Tensor:
        """Add noise."""
        self.strength *= 0.9
        return samples + self.strength * torch.randn_like(samples)


class Annealed(nn.Module):
    """A model with such a part."""

    def __init__(self) -> None:
        super().__init__()
        self.noise, self.layer = Noise(), nn.Linear(6, 2)

    def forward(self, samples: Tensor) -> Tensor:
        """Map samples (batch, 6) to logits (batch, 2)."""
        outputs: Tensor = self.layer(self.noise(samples))
        return outputs


class Extra(nn.Linear):
    """A model that saves what it counts."""

    def __init__(self) -> None:
        super().__init__(6, 2)
        self.calls = 0

    def forward(self, samples: Tensor) -> Tensor:
        """Count."""
        self.calls += 1
        return super().forward(samples)

    def get_extra_state(self) -> int:
        """Return the count."""
        return self.calls

    def set_extra_state(self, state: int) -> None:
        """Use a count."""
        self.calls = state


class Lazy(nn.Sequential):
    """A model whose layers learn their sizes from the first batch."""

    def __init__(self) -> None:
        super().__init__(nn.LazyLinear(2))


class CountsFromItsClass:
    """A curriculum whose counter begins as an attribute of its class."""

    steps = 0

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Count."""
        self.steps += 1
