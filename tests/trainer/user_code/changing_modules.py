"""Modules that change other modules while a training goes on, and must be rebuilt to resume it."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.optim import SGD


class Freezing:
    """Freeze the first parameter of the model, and say nothing to a resumed run."""

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Do that once."""
        if iteration == 2:
            next(trainer.model.parameters()).requires_grad_(requires_grad=False)


class TwoPhases:
    """Train the last layer with an optimizer of its own, and freeze the others from iteration 2 on.

    Or from a step of the first iteration on.
    """

    def __init__(self, *, step: int = 0) -> None:
        self.step = step

    def cb_on_step_begin(self, trainer: Any, iteration: int, batch_idx: int) -> None:
        """Freeze the others."""
        if self.step and batch_idx == self.step:
            for each in trainer.optimizer.param_groups[0]["params"]:
                each.requires_grad_(requires_grad=False)

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Take the last layer out of the optimizer."""
        *others, weight, bias = trainer.model.parameters()
        trainer.optimizer.param_groups[0]["params"] = others
        self.own = SGD([weight, bias], lr=0.1)

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Freeze the others."""
        for each in trainer.optimizer.param_groups[0]["params"]:
            each.requires_grad_(iteration < 2)

    def cb_on_step_end(self, *_: Any) -> None:
        """Take the step of the last layer."""
        self.own.step()

    def state_dict(self) -> Any:
        """Return the state of its optimizer."""
        return self.own.state_dict()

    def load_state_dict(self, state: Any) -> None:
        """Restore it."""
        self.own.load_state_dict(state)


class Unfreezing:
    """Train the first layer from iteration 3 on, too."""

    def __init__(self, *, forgetful: bool = False) -> None:
        self.forgetful = forgetful

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Rebuild what was there."""
        trainer.optimizer.param_groups[0]["params"] = [*trainer.model.parameters()][-2:]
        if trainer.iteration >= 3 and not self.forgetful:
            self.unfreeze(trainer)

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Unfreeze, when it is time."""
        if iteration == 3:
            self.unfreeze(trainer)

    def unfreeze(self, trainer: Any) -> None:
        """Give the optimizer another group."""
        trainer.optimizer.add_param_group(
            {"params": [*trainer.model.parameters()][:-2], "lr": 0.01}
        )


class Pruning:
    """Prune every layer after iteration 2."""

    def __init__(self, *, forgetful: bool = False) -> None:
        self.forgetful = forgetful

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Rebuild what was there."""
        if trainer.iteration >= 2 and not self.forgetful:
            self.prune(trainer)

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: dict[str, Any]) -> None:
        """Prune, when it is time."""
        if iteration == 2:
            self.prune(trainer)

    def prune(self, trainer: Any) -> None:
        """Leave half of the weights."""
        for layer in trainer.model.modules():
            if isinstance(layer, nn.Linear):
                prune.l1_unstructured(layer, "weight", amount=0.5)


class Averaging:
    """Measure with an average of the weights, and train on with the weights themselves."""

    def __init__(self) -> None:
        self.average: list[Tensor] = []
        self.kept: list[Tensor] = []
        self.heard: list[tuple[Any, ...]] = []

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Follow the weights."""
        weights = [each.detach().clone() for each in trainer.model.parameters()]
        self.average = [
            0.5 * old + 0.5 * new for old, new in zip(self.average or weights, weights, strict=True)
        ]

    @torch.no_grad()
    def swap(self, trainer: Any, weights: list[Tensor]) -> None:
        """Give the model other weights."""
        for parameter, weight in zip(trainer.model.parameters(), weights, strict=True):
            parameter.copy_(weight)

    def cb_on_evaluation_begin(self, trainer: Any, iteration: int) -> None:
        """Take the average."""
        self.heard.append((trainer.evaluating, iteration))
        self.kept = [each.detach().clone() for each in trainer.model.parameters()]
        self.swap(trainer, self.average)

    def cb_on_evaluation_end(self, trainer: Any, iteration: int, metrics: dict[str, Any]) -> None:
        """Take the weights again."""
        self.heard.append((trainer.evaluating, iteration, *metrics))
        metrics[f"{trainer.evaluating}/averages"] = len(self.average)
        self.swap(trainer, self.kept)

    def state_dict(self) -> dict[str, Any]:
        """Return the average."""
        return {"average": self.average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with an average."""
        self.average = state["average"]


class ScheduleFree(SGD):
    """Train other weights than it gives, as schedule-free optimizers do."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)
        for group in self.param_groups:
            group["train_mode"] = False
        self.turns: list[str] = []

    def _turn(self, factor: float, *, mode: bool) -> None:
        for group in self.param_groups:
            if group["train_mode"] is not mode:
                group["train_mode"] = mode
                for parameter in group["params"]:
                    parameter.data.mul_(factor)

    def train(self) -> None:
        """Take the weights that are trained."""
        self._turn(2.0, mode=True)

    def eval(self) -> None:
        """Take the weights that are given."""
        self._turn(0.5, mode=False)

    def step(self) -> None:  # type: ignore[override]
        """Step, in the right mode."""
        if not all(group["train_mode"] for group in self.param_groups):
            raise RuntimeError("not in training mode")
        super().step()


class Modes:
    """Note the mode of a schedule-free optimizer at each event."""

    def __init__(self) -> None:
        self.seen: dict[str, set[bool]] = {}

    def _note(self, event: str, trainer: Any) -> None:
        self.seen.setdefault(event, set()).add(trainer.optimizer.param_groups[0]["train_mode"])

    def cb_on_step_begin(self, trainer: Any, iteration: int, batch_idx: int) -> None:
        """Note it."""
        self._note("step", trainer)

    def cb_on_evaluation_begin(self, trainer: Any, iteration: int) -> None:
        """Note it."""
        self._note("evaluation", trainer)

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: dict[str, float]) -> None:
        """Note it."""
        self._note("saving", trainer)
