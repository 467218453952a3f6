"""Modules whose errors are raised in PyTorch, without a line of the user's code in the traceback."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Subset
from user_modules import Tiny, labelled


class Placeless(nn.Linear):
    """A model without values."""

    def __init__(self) -> None:
        super().__init__(6, 2, device="meta")


class Endless(nn.Linear):
    """A model that is its own child."""

    def __init__(self) -> None:
        super().__init__(6, 2)
        self.child = self


class Spoiling(nn.Linear):
    """A model that changes what its gradients need."""

    def __init__(self) -> None:
        super().__init__(6, 2)

    def forward(self, samples: Tensor) -> Tensor:
        """Classify."""
        outputs = super().forward(samples)
        samples.zero_()
        return outputs


class Complex(nn.CrossEntropyLoss):
    """A criterion whose loss is a complex number."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss."""
        return super().forward(logits, targets).to(torch.complex64)


class Eager(nn.CrossEntropyLoss):
    """A criterion that computes the gradients itself."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss."""
        loss = super().forward(logits, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss


class Forgetting(torch.optim.SGD):
    """An optimizer that drops its groups."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=0.1)

    def step(self, _closure: None = None) -> None:  # type: ignore[override]
        """Drop them."""
        self.param_groups.clear()


class Textual(Forgetting):
    """An optimizer that sets a word as its rate."""

    def step(self, _closure: None = None) -> None:
        """Set it."""
        self.param_groups[0]["lr"] = "fast"


class Beyond(Tiny):
    """Data with the index of no sample."""

    def __init__(self) -> None:
        super().__init__()
        self.train: Any = Subset(labelled(0), [*range(16), 99])


class Valueless:
    """A curriculum with a tensor without values."""

    def state_dict(self) -> dict[str, Any]:
        """Return it."""
        return {"a": torch.ones(2, device="meta")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Use it."""


class Boxing:
    """A curriculum that reports a tensor of one number."""

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: dict[str, Any]) -> None:
        """Report it."""
        del trainer, iteration
        metrics["boxed"] = torch.ones(1)
