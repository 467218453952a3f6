"""The class-balanced cross-entropy, for data sets in which some classes are rare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import IterableDataset

from trainer.batch_structure import parts_of
from trainer.errors import ConfigError

if TYPE_CHECKING:
    from trainer.trainer import ModularTaskTrainer


class ClassBalancedCrossEntropy(nn.Module):
    """The cross-entropy, with each sample weighted by how rare its class is in the training set.

    A class with n samples is weighted with (1 - beta) / (1 - beta^n), the inverse of its effective
    number of samples, and the weights are scaled so that their sum is the number of classes: Cui et
    al. 2019, "Class-Balanced Loss Based on Effective Number of Samples", equation 10. A class
    without any sample is weighted as if it had one.

    Args:
        classes: The number of classes.
        beta: From 0, equal weights, to below 1, the inverse of the frequency; the paper has 0.9,
            0.99, 0.999 and 0.9999.
    """

    weights: Tensor
    classifies = True

    def __init__(self, classes: int, beta: float = 0.999) -> None:
        super().__init__()
        if not 0 <= beta < 1:
            raise ConfigError(
                f"criterion.beta: {beta!r} is not at least 0 and below 1. Correct it."
            )
        self.beta = beta
        self.register_buffer("weights", torch.ones(classes))

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Map logits (batch, classes) and classes (batch,) to the mean of the weighted losses."""
        losses = functional.cross_entropy(logits, targets, reduction="none")
        return (losses * self.weights[targets]).mean()

    def cb_on_train_begin(self, trainer: ModularTaskTrainer) -> None:
        """Count the classes of the training set."""
        counts = count_classes(trainer.data.train, len(self.weights))
        effective = (1 - self.beta ** counts.double().clamp(min=1)) / (1 - self.beta)
        weights = 1 / effective
        self.weights.copy_(weights * len(weights) / weights.sum())


def count_classes(samples: Any, classes: int) -> Tensor:  # noqa: ANN401 - a data set may be anything
    """Count the samples of each class (classes,), without loading samples if possible.

    The targets are read from the last of `tensors`, as PyTorch has them, or `targets`, as torchvision does.

    Raises:
        ConfigError: If a target is not a class index, or the data set is a stream.
    """
    targets = getattr(samples, "targets", None)
    if targets is None and hasattr(samples, "tensors"):
        targets = samples.tensors[-1]
    if targets is None and isinstance(samples, IterableDataset):
        raise ConfigError(
            "criterion: train is a stream, whose classes cannot be counted before it is read. Give it an attribute"
            " targets, or choose another criterion."
        )
    if targets is None:
        targets = [parts_of(samples[index]).targets for index in range(len(samples))]
    found = _as_numbers(targets)
    if (
        found.dim() != 1
        or found.is_floating_point()
        or not 0 <= found.min() <= found.max() < classes
    ):
        raise ConfigError(
            f"criterion: the targets of the training set are not classes from 0 to {classes - 1}. "
            "Correct criterion.classes, or choose another criterion."
        )
    return torch.bincount(found.long(), minlength=classes)


def _as_numbers(targets: Any) -> Tensor:  # noqa: ANN401 - as above
    """Return targets as one tensor; one of no classes if they are not numbers."""
    try:
        if isinstance(targets, list) and any(isinstance(each, np.ndarray) for each in targets):
            targets = [each.item() for each in targets]
        found = torch.as_tensor(targets)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return torch.zeros(())
    return found if found.is_floating_point() or found.is_complex() else found.long()
