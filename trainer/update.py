"""The update of an optimizer step: from batches to gradients, and from gradients to new weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from trainer.batch_structure import bring, count_samples
from trainer.errors import ConfigError
from trainer.gradient_checks import check_any_gradient
from trainer.model_call import ModelCall, check_loss, is_about_values
from trainer.ranks import average, count_ranks
from trainer.schedule_steps import demanded
from trainer.target_errors import first_line

if TYPE_CHECKING:
    import inspect
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from torch.amp import GradScaler

    from trainer.build import Modules
    from trainer.training_position import Batch

ABOUT_STEPS = (RuntimeError, TypeError, ValueError, ArithmeticError, AssertionError, LookupError)


class Update:
    """Takes optimizer steps with a model.

    An optimizer whose `step` requires a closure, by a parameter without a default, gets one that
    recomputes loss and gradients, as PyTorch specifies. So optimizers with several evaluations per
    step, such as SAM or L-BFGS, need nothing more; each evaluation is accumulated, clipped and cast
    in the same way. For other optimizers, the gradients are computed before `step`.

    Args:
        modules: The model, which maps inputs to outputs, the criterion, which maps outputs and
            targets to the batch's mean loss, and the optimizer.
        device: The device of the model.
        autocast: Casts computations to the precision of the training.
        clip_norm: The greatest total norm of the gradients; `None` does not clip them.
        scaler: Scales the loss, and skips steps with gradients that are not finite; for float16.
    """

    def __init__(
        self,
        modules: Modules,
        device: torch.device,
        autocast: AbstractContextManager[None],
        clip_norm: float | None,
        scaler: GradScaler | None = None,
    ) -> None:
        self.model = modules.model
        self.criterion = modules.criterion
        self.call = ModelCall(modules.model, modules.criterion)
        self.optimizer = modules.optimizer
        self.device = device
        self.autocast = autocast
        self.clip_norm = clip_norm
        self.scaler = scaler
        self._is_far = device.type != "cpu"
        self._closure = closure_parameter(self.optimizer)
        self._has_modes = has_modes(self.optimizer)
        self._given: list[int] = []  # how many parameters each group had at the last step
        self._others: list[Tensor] = []
        self.is_checked = False  # that an optimizer has gradients, at the first step of a run
        self._has_ranks = count_ranks() > 1
        if scaler is not None and self._closure is not None:
            raise ConfigError(
                f"precision: {type(self.optimizer).__name__} computes several losses per step, which cannot"
                " be scaled as float16 requires. Set precision: bfloat16, or float32."
            )

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The model and, if it is a module of PyTorch, the criterion, by their roles."""
        roles = {"model": self.model, "criterion": self.criterion}
        return {role: each for role, each in roles.items() if isinstance(each, nn.Module)}

    def set_mode(self, *, is_training: bool) -> None:
        """Switch the optimizer to training or evaluation, if it has these modes."""
        if self._has_modes:
            mode = "train" if is_training else "eval"
            getattr(self.optimizer, mode)()

    def take(self, batches: Sequence[Batch]) -> tuple[Tensor, int]:
        """Take one step with the gradient of the mean loss over the samples of all batches.

        Returns:
            The loss before the step, still on the device, and the number of samples.
        """
        if self._is_far:
            batches = [bring(batch, self.device) for batch in batches]
        if self._closure is None:
            found = self.evaluate(batches)
            self.step()
            return found
        evaluations: list[tuple[Tensor, int]] = []

        def evaluate() -> Tensor:
            evaluations.append(self.evaluate(batches))
            return evaluations[-1][0]

        try:
            if self._closure.kind is self._closure.KEYWORD_ONLY:
                self.optimizer.step(**{self._closure.name: evaluate})  # type: ignore[arg-type]  # as below
            else:
                self.optimizer.step(evaluate)  # type: ignore[arg-type]  # PyTorch's type wants a float
        except ABOUT_STEPS as error:
            self._explain_step(error)
            raise
        if not evaluations:
            raise ConfigError(
                f"optimizer: {type(self.optimizer).__name__}.step never called the closure that it"
                " requires. Call it, or give the parameter a default to get the gradients instead."
            )
        return evaluations[0]

    def step(self) -> None:
        """Let the optimizer step, with the gradients that `evaluate` has computed."""
        try:
            if self.scaler is None:
                self.optimizer.step()
            else:
                self.scaler.step(self.optimizer)
                self.scaler.update()
        except ABOUT_STEPS as error:
            self._explain_step(error)
            raise

    def evaluate(self, batches: Sequence[Batch]) -> tuple[Tensor, int]:
        """Recompute the gradients of the mean loss over all samples; return it, and their number."""
        is_alone = len(batches) == 1
        counts = [] if is_alone else [count_samples(batch) for batch in batches]
        shares = []
        self._forget_gradients()
        for number, batch in enumerate(batches):
            with self.autocast:
                loss, *_ = self.call(batch)
            if type(loss) is not Tensor or loss.ndim or not loss.requires_grad:
                check_loss(loss, self.criterion, is_trained=True)
            if not is_alone:
                loss = loss * (counts[number] / sum(counts))
            scaled = loss if self.scaler is None else self.scaler.scale(loss)
            try:
                scaled.backward()  # type: ignore[no-untyped-call]  # PyTorch left it untyped
            except (RuntimeError, TypeError) as error:
                self._explain(error)
                raise
            shares.append(loss.detach())
        if not self.is_checked:
            self.is_checked = True
            check_any_gradient(self.optimizer)
        loss = shares[0] if is_alone else torch.stack(shares).sum()
        if self._has_ranks:
            loss = average(self._parameters(), loss)
        if self.scaler is not None:
            try:
                self.scaler.unscale_(self.optimizer)
            except (ValueError, RuntimeError) as error:
                raise ConfigError(
                    f"precision: gradients cannot be unscaled: {first_line(error)}. Keep the weights in"
                    " float32, or set precision: float32."
                ) from error
        if self.clip_norm is not None:
            clip_grad_norm_(self._parameters(), self.clip_norm)
        return loss, count_samples(batches[0]) if is_alone else sum(counts)

    def _explain(self, error: Exception) -> None:
        """Explain an error of the gradients.

        Raises:
            ConfigError: If it is about what model and criterion computed.
        """
        if is_about_values(error):
            raise ConfigError(
                f"model: the gradients of {type(self.model).__name__} and the loss cannot be computed:"
                f" {first_line(error)}. Change no tensor in place that they need, return a real loss,"
                " and do not call backward() yourself."
            ) from error

    def _explain_step(self, error: Exception) -> None:
        """Explain an error of the optimizer.

        Raises:
            ConfigError: If a library raised it, as for parameters of a kind that it does not update.
        """
        if is_about_values(error):
            raise ConfigError(
                f"optimizer: {type(self.optimizer).__name__} cannot step: {first_line(error)}. Correct its"
                " arguments, or choose another."
            ) from error

    def _parameters(self) -> list[Tensor]:
        """Return the parameters of the optimizer."""
        return [each for group in self.optimizer.param_groups for each in group["params"]]

    def _forget_gradients(self) -> None:
        """Do the same as `zero_grad`, without its profiler hook, which takes 8 µs.

        Gradients of parameters that the optimizer does not have are cleared, too: otherwise they
        would be accumulated step by step.
        """
        is_changed = getattr(self.optimizer.zero_grad, "__func__", None) is not Optimizer.zero_grad
        if is_changed:
            self.optimizer.zero_grad()
        given = []
        for group in self.optimizer.param_groups:
            parameters = group["params"]
            given.append(len(parameters))
            if not is_changed:
                for parameter in parameters:
                    parameter.grad = None
        if given != self._given:
            self._given, self._others = given, self._not_given()
        for parameter in self._others:
            parameter.grad = None

    def _not_given(self) -> list[Tensor]:
        """Return the parameters of model and criterion that the optimizer does not have now."""
        given = {id(each) for each in self._parameters()}
        own = (each for module in self.modules.values() for each in module.parameters())
        return [each for each in own if id(each) not in given]


def has_modes(optimizer: Optimizer) -> bool:
    """Return whether an optimizer has modes for training and evaluation.

    Schedule-free ones do: their weights differ in training and evaluation.
    """
    return all(callable(getattr(optimizer, mode, None)) for mode in ("train", "eval"))


def closure_parameter(optimizer: Optimizer) -> inspect.Parameter | None:
    """Return the parameter by which an optimizer's `step` requires a closure, or None."""
    return demanded(type(optimizer).step)
