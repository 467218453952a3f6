"""The configured metrics: what is measured besides the loss, including the accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn

from trainer.accuracy import Accuracy, classifies
from trainer.errors import ConfigError, shown
from trainer.hydra_targets import call_target
from trainer.model_call import is_about_values
from trainer.run_files import say
from trainer.settings import read_group
from trainer.target_errors import first_line

if TYPE_CHECKING:
    from trainer.settings import Config

LOSS, ACCURACY = "loss", "accuracy"


class Metric(Protocol):
    """A metric with the interface of torchmetrics."""

    def reset(self) -> None:
        """Forget all batches."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add the model's outputs (batch, ...) and the targets (batch, ...)."""

    def compute(self) -> Any:  # noqa: ANN401 - a number, a tensor, or a dictionary of them
        """Return the value over all batches since the last reset."""


class Measures:
    """All metrics of a run; they are reset before and after each evaluation.

    Args:
        metrics: The metrics by the names under which they are reported.
        accuracy: The accuracy; `None` if it is not measured.
        is_asked: Whether the configuration asks for the accuracy, so that it is told if there is none.
    """

    def __init__(
        self,
        metrics: Mapping[str, Metric],
        accuracy: Accuracy | None = None,
        *,
        is_asked: bool = False,
    ) -> None:
        self.metrics = metrics
        self.accuracy = accuracy
        self._is_asked = is_asked

    @property
    def names(self) -> list[str]:
        """The names of everything that is measured besides the loss."""
        return [*([] if self.accuracy is None else [ACCURACY]), *self.metrics]

    def reset(self) -> None:
        """Start an evaluation."""
        if self.accuracy is not None:
            self.accuracy.reset()
        for metric in self.metrics.values():
            metric.reset()

    def update(self, outputs: Any, targets: Any) -> None:  # noqa: ANN401 - they are the user's
        """Add the outputs of the model for a batch.

        Args:
            outputs: The model's outputs (batch, ...), for most models logits (batch, classes).
            targets: The targets (batch, ...).

        Raises:
            ConfigError: If a metric cannot measure such outputs or targets.
        """
        if self.accuracy is not None:
            self.accuracy.update(outputs, targets)
        for kind, value in (("the model returns", outputs), ("the targets are", targets)):
            if self.metrics and not isinstance(value, Tensor):
                raise ConfigError(
                    f"metrics: {kind} a {type(value).__name__}, but metrics take a tensor. Remove them,"
                    " or measure in the criterion or a callback."
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
        """Return the values; those of a metric with several are named `name/which`.

        Raises:
            ConfigError: If a metric returns something other than numbers, or a library's cannot be
                computed.
        """
        values = {} if self.accuracy is None else self.accuracy.compute()
        if self._is_asked and ACCURACY not in values:
            self._is_asked = False
            say(
                "note: metrics.accuracy: nothing was counted, because the outputs are not one number per class,"
                " or the targets are not classes. Remove it, or name a metric."
            )
        for name, metric in self.metrics.items():
            try:
                value = metric.compute()
            except (TypeError, ValueError, RuntimeError, LookupError) as error:
                if not is_about_values(error):
                    raise
                raise ConfigError(
                    f"metrics.{name}: {type(metric).__name__} cannot be computed: {first_line(error)}."
                    " Correct its arguments, or choose another."
                ) from error
            values |= _numbers(name, value)
        return values


def build_measures(
    config: Config, device: torch.device, criterion: object, deciding: str | None = None
) -> Measures:
    """Build the metrics of the group `metrics`, on the device.

    The accuracy is measured if the criterion classifies, or if it is the metric that decides which
    iteration is the best; `metrics.accuracy` may be true or false instead, or name a metric that
    replaces it.

    Raises:
        ConfigError: If one does not have a `_target_`, has the wrong arguments, or is not a metric.
    """
    metrics: dict[str, Metric] = {}
    is_wanted = classifies(criterion) or deciding == f"validation/{ACCURACY}"
    accuracy = Accuracy(criterion) if is_wanted else None
    group = read_group(config, "metrics")
    for name, settings in group.items():
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
                    f"{key}._target_: it returns a {type(metric).__name__}, which does not have"
                    f" {method}(). Name a metric."
                )
        metrics[name] = cast(
            "Metric", metric.to(device) if isinstance(metric, nn.Module) else metric
        )
    return Measures(metrics, accuracy, is_asked=group.get(ACCURACY) is True)


def _numbers(name: str, value: object) -> dict[str, float]:
    if isinstance(value, Mapping):
        found = [_numbers(f"{name}/{key}", item) for key, item in value.items()]
        return {key: number for numbers in found for key, number in numbers.items()}
    try:
        array = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError):
        array = torch.empty(0, dtype=torch.complex64)
    if array.is_complex():
        raise ConfigError(
            f"metrics.{name}: it returns {shown(value)}, which is not a number. Choose another."
        )
    if array.dim() > 1:
        raise ConfigError(
            f"metrics.{name}: it returns an array {[*array.shape]}, not a number. Choose another."
        )
    if array.dim() == 0:
        return {name: float(array)}
    return {f"{name}/{place}": float(number) for place, number in enumerate(array)}
