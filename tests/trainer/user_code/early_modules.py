"""Modules whose faults can be told early."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from user_modules import Counter, Tiny


class Counted(Tiny):
    """Offer the small data sets."""


class Unsavable(Counter):
    """Have a state that could not be loaded safely."""

    def state_dict(self) -> dict[str, Any]:
        """Return a number of NumPy's."""
        return {"steps": np.float64(self.steps)}


class ShapeOne(nn.CrossEntropyLoss):
    """Give a list of one loss."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return (1,)."""
        return super().forward(logits, targets)[None]


class PerSample(nn.CrossEntropyLoss):
    """Give a loss for each sample."""

    def __init__(self) -> None:
        super().__init__(reduction="none")


class Plain(nn.CrossEntropyLoss):
    """Give a number without gradients."""

    def forward(self, logits: Tensor, targets: Tensor) -> Any:
        """Return a float."""
        return super().forward(logits, targets).item()


class Cut(nn.CrossEntropyLoss):
    """Give a loss without gradients."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return a tensor."""
        return super().forward(logits, targets).detach()


class Nameless:
    """Report a number without a name, at an event."""

    def __init__(self, event: str) -> None:
        self.event = event

    def _add(self, event: str, metrics: dict[Any, Any]) -> None:
        if event == self.event:
            metrics[5] = 1.0

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: dict[Any, Any]) -> None:
        """Add it."""
        self._add("iteration_end", metrics)

    def cb_on_evaluation_end(self, trainer: Any, iteration: int, metrics: dict[Any, Any]) -> None:
        """Add it."""
        self._add("evaluation_end", metrics)

    def cb_on_train_end(self, trainer: Any, test_results: dict[Any, Any]) -> None:
        """Add it."""
        self._add("train_end", test_results)


class NanAfter(nn.CrossEntropyLoss):
    """Return a loss that is NaN from some step on."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after
        self.count = 0
        self.folder = Path()

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Remember where to write."""
        self.folder = trainer.run_dir

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Give a loss, and write down how many were given."""
        self.count += 1
        if self.count >= self.after:
            (self.folder / "losses").write_text(str(self.count))
        loss = super().forward(logits, targets)
        return loss * torch.nan if self.count >= self.after else loss


class Spoiling:
    """Make the weights infinite after the last step of an iteration."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def cb_on_loader_exhausted(self, trainer: Any, iteration: int) -> None:
        """Spoil."""
        if iteration == self.iteration:
            next(trainer.model.parameters()).data.fill_(torch.inf)


class LateState:
    """Have a state only after the first iteration."""

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: dict[Any, Any]) -> None:
        """Get it."""
        self.value = iteration

    def state_dict(self) -> dict[str, int]:
        """Return it."""
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Take it back."""
        self.value = state["value"]
