"""Owns the metrics that a configuration names, besides the loss and the accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn

from trainer.errors import ConfigError
from trainer.settings import read_group
from trainer.targets import call_target

if TYPE_CHECKING:
    from trainer.settings import Config

ALWAYS_THERE = ("loss", "accuracy")


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
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.metrics = metrics

    def reset(self) -> None:
        """Begin an evaluation."""
        for metric in self.metrics.values():
            metric.reset()

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in what the model made of a batch.

        Args:
            outputs: The model's outputs (batch, ...), for most models logits (batch, classes).
            targets: What would have been right (batch, ...).

        Raises:
            ConfigError: If a metric cannot measure such outputs or targets.
        """
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
        values: dict[str, float] = {}
        for name, metric in self.metrics.items():
            values |= _numbers(name, metric.compute())
        return values


def build_measures(config: Config, device: torch.device) -> Measures:
    """Build the metrics of the group `metrics`, on the device.

    Raises:
        ConfigError: If one has no `_target_`, the wrong arguments, or is no metric.
    """
    metrics: dict[str, Metric] = {}
    for name, settings in read_group(config, "metrics").items():
        key = f"metrics.{name}"
        if name in ALWAYS_THERE:
            raise ConfigError(f"{key}: the trainer measures this itself. Give it another name.")
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
    return Measures(metrics)


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
