"""Rare classes count more, as in the paper."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import IterableDataset, TensorDataset

from trainer.criteria.class_balanced import ClassBalancedCrossEntropy, count_classes
from trainer.errors import ConfigError


class Streams(IterableDataset[Any]):
    """A data set that is read from its beginning."""

    targets: Any = None

    def __iter__(self) -> Iterator[Any]:
        """Yield nothing."""
        return iter(())


def fitted(labels: list[int], classes: int, beta: float) -> ClassBalancedCrossEntropy:
    """Make a criterion that has seen a training set."""
    criterion = ClassBalancedCrossEntropy(classes, beta)
    samples = TensorDataset(torch.zeros(len(labels)), torch.tensor(labels))
    trainer: Any = SimpleNamespace(data=SimpleNamespace(train=samples))
    criterion.cb_on_train_begin(trainer)
    return criterion


def test_weights_are_those_of_the_paper() -> None:
    """Equation 10, scaled so that the weights sum up to the number of classes."""
    criterion = fitted([0] * 8 + [1] * 2, classes=3, beta=0.9)
    inverse = [0.1 / (1 - 0.9**count) for count in (8, 2, 1)]
    expected = [3 * weight / sum(inverse) for weight in inverse]
    assert criterion.weights.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("beta", "ratio"), [(0.0, 1), (0.999999, 4)])
def test_beta_goes_from_no_weights_to_the_inverse_of_the_frequency(
    beta: float, ratio: float
) -> None:
    """At 0 it is the cross-entropy itself."""
    criterion = fitted([0] * 8 + [1] * 2, classes=2, beta=beta)
    assert (criterion.weights[1] / criterion.weights[0]).item() == pytest.approx(ratio, rel=1e-4)
    logits, labels = torch.randn(6, 2), torch.tensor([0, 1, 0, 1, 1, 0])
    if not beta:
        assert torch.allclose(criterion(logits, labels), nn.CrossEntropyLoss()(logits, labels))


def test_loss_is_a_mean_over_samples() -> None:
    """Two halves of a batch have the batch's loss as their mean, whatever classes they hold."""
    criterion = fitted([0] * 8 + [1] * 2, classes=2, beta=0.9)
    logits, labels = torch.randn(6, 2), torch.tensor([0, 0, 0, 1, 1, 0])
    halves = (criterion(logits[:3], labels[:3]) + criterion(logits[3:], labels[3:])) / 2
    assert torch.allclose(criterion(logits, labels), halves)


def test_classes_are_counted_however_the_data_set_tells_them() -> None:
    """Tensors, torchvision's `targets`, or samples one by one."""
    tensors = TensorDataset(torch.zeros(3), torch.tensor([2, 0, 2]))
    targets = SimpleNamespace(targets=[2, 0, 2])
    three = TensorDataset(torch.zeros(3), torch.tensor([3, 3, 3]), torch.tensor([2, 0, 2]))
    tuples = [(0, 3, torch.tensor(each)) for each in (2, 0, 2)]
    mappings = [{"x": 3, "label": each} for each in (2, 0, 2)]
    arrays = [(0, np.array(each)) for each in (2, 0, 2)]
    graphs = [(0, np.array([each], dtype=np.uint16)) for each in (2, 0, 2)]
    stream = Streams()
    stream.targets = np.array([2, 0, 2], dtype=np.uint16)
    by_one = ([(0, 2), (0, 0), (0, 2)], tuples, mappings, arrays, graphs)
    for samples in (tensors, targets, three, *by_one, stream):
        assert count_classes(samples, 4).tolist() == [1, 0, 2, 0]


@pytest.mark.parametrize("targets", [[0, 3], [-1], [0.5], [[0], [1]]])
def test_targets_that_are_no_classes_are_an_error(targets: list[Any]) -> None:
    """The line names the key to correct."""
    with pytest.raises(
        ConfigError, match=r"are not classes from 0 to 2\. Correct criterion.classes"
    ):
        count_classes(SimpleNamespace(targets=targets), 3)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([(0, "cat"), (0, "dog")], "^criterion: the targets of the training set are not classes"),
        ([(0, None)], "^criterion: the targets of the training set are not classes"),
        ([{"x": 0}], "^data: a batch has the keys x, and no target"),
        (Streams(), "^criterion: train is a stream, whose classes cannot be counted"),
    ],
)
def test_samples_without_classes_are_an_error(samples: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        count_classes(samples, 3)


def test_beta_has_limits() -> None:
    """At 1 the weights would not exist."""
    with pytest.raises(ConfigError, match=r"^criterion\.beta: 1 is not at least 0 and below 1"):
        ClassBalancedCrossEntropy(3, beta=1)
