"""The steps of an iteration: from its first batch to the mean loss of its samples."""

from __future__ import annotations

from itertools import count
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any, Protocol

from trainer.captured_steps import choose_captured_steps
from trainer.early_checks import check_finite
from trainer.gradient_checks import check_gradients_used
from trainer.groups import trained_by
from trainer.loss_scale import check_scale
from trainer.mean_loss import MeanLoss
from trainer.own_update import choose_update
from trainer.parts_in_evaluation import switch_to_training

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import nn

    from trainer.build import Modules
    from trainer.callbacks.events import Callbacks
    from trainer.iteration_in_progress import IterationInProgress
    from trainer.schedule_steps import RateSchedule
    from trainer.settings import TrainingSettings
    from trainer.training_position import TrainingBatches
    from trainer.update import Update
    from trainer.weight_average import WeightAverage


class Stepping(Protocol):
    """The parts of a trainer that the steps need."""

    callbacks: Callbacks[Any]
    batches: TrainingBatches
    update: Update
    device: torch.device
    schedule: RateSchedule
    average: WeightAverage

    @property
    def model(self) -> nn.Module:
        """The model."""


class TrainingSteps:
    """Takes the steps of iterations, with the callbacks before and after each.

    Args:
        trainer: The trainer, which callbacks get.
        modules: The modules.
        settings: Their settings.
    """

    def __init__(self, trainer: Stepping, modules: Modules, settings: TrainingSettings) -> None:
        self._trainer = trainer
        self._modules = modules
        self._settings = settings
        take = choose_update(trainer, settings)
        self._captured = choose_captured_steps(trainer, settings)
        if self._captured is not None:
            take = self._captured.take
        self._take_update = trainer.schedule.after(trainer.average.after(take))
        self._left = [*modules.model.parameters()]  # that no optimizer needs to have
        self._checked: set[int] | None = None  # parameters, when gradients were checked

    def take(self, iteration: int, in_progress: IterationInProgress | None = None) -> float:
        """Take the steps of an iteration, and return the mean loss of their samples.

        Args:
            iteration: The iteration.
            in_progress: Saves and continues it between steps; `None` does not.

        Raises:
            Diverged: If it is not finite.
        """
        trainer, callbacks = self._trainer, self._trainer.callbacks
        batches, accumulate = trainer.batches, self._settings.accumulate
        losses = MeanLoss()
        self._begin(iteration)
        is_new = self._checked is None or (
            callbacks.may_change_modules and self._checked != {*map(id, trainer.model.parameters())}
        )
        steps = self._count()
        for batch_idx in _places(iteration, steps, losses, in_progress):
            for begin in callbacks.cb_on_step_begin:
                begin(trainer, iteration, batch_idx)
            loss, samples = self._take_update(batches.take(accumulate))
            if is_new:
                is_new = False
                self._check_gradients()
            losses.add(loss, samples)
            if callbacks.cb_on_step_end:
                loss_value = loss.item()
                losses.is_finite &= isfinite(loss_value)
                for end in callbacks.cb_on_step_end:
                    end(trainer, iteration, batch_idx, loss_value)
            if not losses.is_finite:
                break
            if batches.end_pass():
                self._tell_exhausted(iteration)
                if steps is None:
                    break
            if in_progress is not None and batch_idx + 1 != steps:
                in_progress.after_step(iteration, batch_idx + 1, losses)
        return self._end(iteration, losses)

    def _end(self, iteration: int, losses: MeanLoss) -> float:
        """Check what the steps of an iteration gave, and return the mean loss."""
        mean = check_finite(losses.mean(), iteration)
        check_scale(self._trainer.update.scaler, iteration)
        if self._captured is not None:
            self._captured.end_iteration(iteration)
        return mean

    def _begin(self, iteration: int) -> None:
        """Prepare modules for the steps of an iteration."""
        trainer = self._trainer
        switch_to_training(trainer.model, is_first=iteration == 1)
        trainer.update.set_mode(is_training=True)
        trainer.average.begin_iteration(iteration)
        if self._captured is not None:
            self._captured.begin_iteration()

    def _tell_exhausted(self, iteration: int) -> None:
        for exhausted in self._trainer.callbacks.cb_on_loader_exhausted:
            exhausted(self._trainer, iteration)

    def _check_gradients(self) -> None:
        """Check, at the first step and when parameters have changed, that gradients are used."""
        check_gradients_used(self._modules, {*map(id, self._left)})
        parameters = [*self._modules.model.parameters()]
        if self._checked is None:
            given = trained_by([self._modules.optimizer])
            self._left = [each for each in parameters if id(each) not in given]
        self._checked = {*map(id, parameters)}

    def _count(self) -> int | None:
        """Return the number of steps of the iteration; no step takes batches of two passes.

        `None` is for the pass over a stream, whose length is not known.
        """
        if self._settings.training_type == "step":
            return self._settings.eval_every
        batches = self._trainer.batches.begin_pass()
        return None if batches is None else ceil(batches / self._settings.accumulate)


def _places(
    iteration: int, steps: int | None, losses: MeanLoss, in_progress: IterationInProgress | None
) -> Iterable[int]:
    """Return the numbers of the steps that are left of an iteration."""
    done = 0 if in_progress is None else in_progress.resume(iteration, losses)
    return count(done) if steps is None else range(done, steps)
