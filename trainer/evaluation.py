"""The evaluation of a model: its mean loss and all metrics on a part of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

from trainer.batch_structure import bring, count_samples
from trainer.early_checks import check_numbers
from trainer.mean_loss import MeanLoss
from trainer.model_call import check_loss, predictions_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from types import MappingProxyType

    from trainer.callbacks.events import Callbacks
    from trainer.configured_metrics import Measures
    from trainer.loading.loaders import Loader
    from trainer.model_call import ModelCall
    from trainer.update import Update
    from trainer.weight_average import WeightAverage


@torch.no_grad()
def evaluate(
    call: ModelCall, batches: Iterable[Any], device: torch.device, measures: Measures
) -> dict[str, float]:
    """Return the mean loss and the metrics over all samples, with the model in evaluation mode.

    Args:
        call: Calls the model and the criterion on a batch.
        batches: The batches, of any structure.
        device: The device of the model.
        measures: The metrics.
    """
    call.model.eval()
    measures.reset()
    losses = MeanLoss()
    is_far = device.type != "cpu"
    for made in batches:
        batch = bring(made, device) if is_far else made
        loss, outputs, targets = call(batch)
        check_loss(loss, call.criterion, is_trained=False)
        losses.add(loss, count_samples(batch))
        measures.update(predictions_in(outputs), targets)
    values = {"loss": losses.mean(), **measures.compute()}
    measures.reset()
    return values


class Evaluated(Protocol):
    """The parts of a trainer that an evaluation needs."""

    evaluating: str | None
    callbacks: Callbacks[Any]
    update: Update
    average: WeightAverage
    autocast: AbstractContextManager[None]
    loaders: MappingProxyType[str, Loader]
    device: torch.device
    measures: Measures


def evaluate_part(trainer: Evaluated, part: str, iteration: int) -> dict[str, float]:
    """Evaluate on a part of the data, with the callbacks before and after, and return the metrics.

    Raises:
        ConfigError: If a callback has added something that is not a metric.
    """
    trainer.evaluating = part
    trainer.update.set_mode(is_training=False)
    for begin in trainer.callbacks.cb_on_evaluation_begin:
        begin(trainer, iteration)
    with trainer.average.evaluated(), trainer.autocast:
        values = evaluate(
            trainer.update.call, trainer.loaders[part], trainer.device, trainer.measures
        )
    metrics = {f"{part}/{key}": value for key, value in values.items()}
    for end in trainer.callbacks.cb_on_evaluation_end:
        end(trainer, iteration, metrics)
    check_numbers(metrics, own=[f"{part}/loss"])
    trainer.evaluating = None
    return metrics
