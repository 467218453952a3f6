"""Owns what is measured besides the loss: the accuracy, and the metrics that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn

from trainer.accuracy import Accuracy, classifies
from trainer.errors import ConfigError
from trainer.hydra_targets import call_target
from trainer.settings import read_group

if TYPE_CHECKING:
    from trainer.settings import Config

LOSS, ACCURACY = "loss", "accuracy"


class Metric(Protocol):
    """Take in batches and give a value, as all of torchmetrics' classes do."""

    def reset(self) -> None:
        """Forget everything."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in the model's outputs (batch, ...) and the targets (batch, ...)."""

    def compute(self) -> Any:  # noqa: ANN401 - a number, a tensor, or a dictionary of them
        """Return the value over everything taken in since it was reset."""


class Measures:
    """Measure with all chosen metrics; nothing of one evaluation is left for the next.

    Args:
        metrics: The metrics by the names under which they are reported.
        accuracy: Measures the accuracy; `None` if nobody does.
    """

    def __init__(self, metrics: Mapping[str, Metric], accuracy: Accuracy | None = None) -> None:
        self.metrics = metrics
        self.accuracy = accuracy

    @property
    def names(self) -> list[str]:
        """Return the names of all that is measured besides the loss."""
        return [*([] if self.accuracy is None else [ACCURACY]), *self.metrics]

    def reset(self) -> None:
        """Begin an evaluation."""
        if self.accuracy is not None:
            self.accuracy.reset()
        for metric in self.metrics.values():
            metric.reset()

    def update(self, outputs: Any, targets: Any) -> None:  # noqa: ANN401 - they are the user's
        """Take in what the model made of a batch.

        Args:
            outputs: The model's outputs (batch, ...), for most models logits (batch, classes).
            targets: What would have been right (batch, ...).

        Raises:
            ConfigError: If a metric cannot measure such outputs or targets.
        """
        if self.accuracy is not None:
            self.accuracy.update(outputs, targets)
        for kind, value in (("the model gives", outputs), ("the targets are", targets)):
            if self.metrics and not isinstance(value, Tensor):
                raise ConfigError(
                    f"metrics: {kind} a {type(value).__name__}, and metrics measure a tensor. Remove"
                    " them, or measure in the criterion or a callback."
                )
        for name, metric in self.metrics.items():
            try:
                metric.update(outputs, targets)
            except (ValueError, RuntimeError) as error:
                reason = " ".join(str(error).split()).rstrip(".")
                raise ConfigError(
                    f"metrics.{name}: it cannot measure outputs {[*outputs.shape]} against targets "
                    f"{[*targets.shape]}: {reason}. Correct its arguments."
                ) from error

    def compute(self) -> dict[str, float]:
        """Return the values; those of a metric with several are called `name/which`.

        Raises:
            ConfigError: If a metric gives something else than numbers.
        """
        values = {} if self.accuracy is None else self.accuracy.compute()
        for name, metric in self.metrics.items():
            values |= _numbers(name, metric.compute())
        return values


def build_measures(
    config: Config, device: torch.device, criterion: object, deciding: str | None = None
) -> Measures:
    """Build the metrics of the group `metrics`, on the device.

    The accuracy is measured where the criterion classifies, or where it is asked for as the metric
    that decides; `metrics.accuracy` says true or false instead, or names a metric that takes its place.

    Raises:
        ConfigError: If one has no `_target_`, the wrong arguments, or is no metric.
    """
    metrics: dict[str, Metric] = {}
    is_wanted = classifies(criterion) or deciding == f"validation/{ACCURACY}"
    accuracy = Accuracy(criterion) if is_wanted else None
    for name, settings in read_group(config, "metrics").items():
        key = f"metrics.{name}"
        if name == LOSS:
            raise ConfigError(f"{key}: the trainer measures this itself. Give it another name.")
        if name == ACCURACY:
            accuracy = Accuracy(criterion) if settings is True else None
            if settings is None or isinstance(settings, bool):
                continue
        if not isinstance(settings, dict) or settings.get("_target_") is None:
            raise ConfigError(
                f"{key}._target_: missing. Name a class, for example of torchmetrics."
            )
        metric = call_target(settings, key)
        for method in ("reset", "update", "compute"):
            if not callable(getattr(metric, method, None)):
                raise ConfigError(
                    f"{key}._target_: it gives a {type(metric).__name__}, which has no {method}(). "
                    "Name a metric."
                )
        metrics[name] = cast(
            "Metric", metric.to(device) if isinstance(metric, nn.Module) else metric
        )
    return Measures(metrics, accuracy)


def _numbers(name: str, value: object) -> dict[str, float]:
    if isinstance(value, Mapping):
        found = [_numbers(f"{name}/{key}", item) for key, item in value.items()]
        return {key: number for numbers in found for key, number in numbers.items()}
    array = torch.as_tensor(value)
    if array.dim() > 1:
        raise ConfigError(
            f"metrics.{name}: it gives an array {[*array.shape]}, not a number. Choose another."
        )
    if array.dim() == 0:
        return {name: float(array)}
    return {f"{name}/{place}": float(number) for place, number in enumerate(array)}
