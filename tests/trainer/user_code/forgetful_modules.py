"""Modules whose states do not come back as they were saved, and some whose states do."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn


class Counting:
    """A curriculum that counts steps, and sums losses, in ways that its state may lose."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.steps = 0
        self.total = torch.zeros(())
        self.shown = 0.0
        self.late = 0
        self.much = torch.zeros(5 << 20 if how == "forgets much" else 0)

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Count."""
        self.steps += 1
        self.total += loss
        if self.how == "shows":
            self.shown = loss
        self.late += iteration > 1

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""
        state: dict[str, Any] = {"steps": self.steps, "total": self.total, "much": self.much}
        if self.how == "leaves out":
            del state["total"]
        if self.how == "rounds":
            state["total"] = self.total.round()
        if self.how == "other key":
            state["count"] = state.pop("steps")
        if self.how == "ignores":
            state["with a graph"] = 2 * torch.ones(1, requires_grad=True)
        if self.how == "tells the time":
            state["saved_at"] = time.monotonic()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Use a state."""
        if self.how == "ignores":
            return
        if self.how not in ("forgets steps", "forgets much"):
            self.steps = state["steps"]
        self.total = state.get("total", self.total)
        self.late = 0 if self.how == "forgets later" else self.late


class Extra(nn.Module):
    """A part of a model that counts its calls."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.calls = 0

    def forward(self, samples: Tensor) -> Tensor:
        """Count."""
        self.calls += self.training
        return samples

    def get_extra_state(self) -> Any:
        """Return the state."""
        return {"calls": torch.tensor(self.calls)}

    def set_extra_state(self, state: Any) -> None:
        """Use it."""
        if self.how == "right":
            self.calls = int(state["calls"])
        if self.how == "other key":
            self.calls = int(state["count"])


class Model(nn.Sequential):
    """A model with such a part."""

    def __init__(self, how: str) -> None:
        super().__init__(Extra(how), nn.Linear(6, 2))


class Doubling(torch.optim.SGD):
    """An optimizer that saves nothing of its state."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=0.1, momentum=0.9)

    def load_state_dict(self, state_dict: Any) -> None:
        """Do nothing."""


class Growing(nn.Linear):
    """A model that may grow a buffer in each step."""

    def __init__(self, how: str) -> None:
        super().__init__(6, 2)
        self.how = how
        self.register_buffer("seen", torch.zeros(1))
        self.other = nn.Linear(1, 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Note that there was a batch."""
        if self.how == "grows a buffer" and self.training:
            self.seen = torch.cat([self.seen, torch.ones(1)])
        return super().forward(samples)


class Changing:
    """A curriculum that changes model and optimizer at the end of the second iteration."""

    def __init__(self, how: str) -> None:
        self.how = how

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: dict[str, Any]) -> None:
        """Change them."""
        if iteration != 2:
            return
        if self.how == "adds a layer":
            trainer.model.third = nn.Linear(1, 1)
        if self.how == "replaces a layer":
            trainer.model.other = nn.Linear(1, 1)
        if self.how.startswith("adds a group"):
            trainer.optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})


class ReChanging(Changing):
    """A curriculum that does so again in a resumed run."""

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Change them."""
        if trainer.iteration >= 2:
            self.cb_on_iteration_end(trainer, 2, {})


class Weightless(nn.Linear):
    """A model whose state lacks its weights, or all but some of them."""

    def __init__(self, how: str) -> None:
        super().__init__(6, 2)
        self.how = how

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return too little."""
        whole = super().state_dict(*args, **kwargs)
        return {"bias": whole["bias"]} if self.how == "bias only" else {}

    def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyTorch's
        """Take what there is."""
        return super().load_state_dict(state, strict=False)
