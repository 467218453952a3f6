"""The accuracy is measured where it means something, and nowhere else."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.accuracy import Accuracy, classifies
from trainer.criteria.class_balanced import ClassBalancedCrossEntropy


def accuracy_of(outputs: Any, targets: Any, criterion: Any = None) -> float | None:
    """Return the accuracy of one batch, if there is one."""
    accuracy = Accuracy(criterion or nn.CrossEntropyLoss())
    accuracy.update(outputs, targets)
    return accuracy.compute().get("accuracy")


class Contrastive(nn.Module):
    """Pull embeddings of the same label together."""

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Map embeddings (batch, features) and labels (batch,) to a loss."""
        alike = (labels[:, None] == labels).float()
        return functional.cross_entropy(embeddings @ embeddings.T, alike)


class Focal(nn.CrossEntropyLoss):
    """Weigh hard samples more."""


class Own(Contrastive):
    """Say that the outputs are a number for each class."""

    classifies = True


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        (nn.CrossEntropyLoss(), True),
        (nn.NLLLoss(), True),
        (Focal(), True),
        (ClassBalancedCrossEntropy(3), True),
        (partial(functional.cross_entropy, label_smoothing=0.1), True),
        (functional.nll_loss, True),
        (Own(), True),
        (Contrastive(), False),
        (nn.MSELoss(), False),
        (nn.TripletMarginLoss(), False),
        (nn.CTCLoss(), False),
        (partial(functional.mse_loss), False),
        (None, False),
    ],
)
def test_criterion_tells_whether_outputs_are_numbers_for_classes(
    criterion: Any, *, expected: bool
) -> None:
    """Embeddings against labels have the same shapes, and no accuracy."""
    assert classifies(criterion) is expected


def test_ignored_targets_do_not_count() -> None:
    """A perfect model is right on everything that counts."""
    logits = 9 * torch.eye(4)[torch.tensor([0, 1, 2, 3])]
    padded = torch.tensor([0, 1, -100, -100])
    assert accuracy_of(logits, padded) == 1
    assert accuracy_of(logits, padded, Contrastive()) == 1
    last = torch.tensor([0, 1, 3, 3])  # a class that the model gives, and that is ignored
    assert accuracy_of(logits, last, nn.CrossEntropyLoss(ignore_index=3)) == 1
    ignoring = partial(functional.cross_entropy, ignore_index=3)
    assert accuracy_of(logits, last, ignoring) == 1
    assert accuracy_of(logits, last) == 0.75
    assert accuracy_of(logits, torch.full((4,), -100)) is None


def test_places_are_as_many_guesses() -> None:
    """Images (batch, classes, height, width), and texts with the logits last."""
    logits = torch.zeros(1, 3, 2, 2)
    logits[:, 1, 0] = 1
    assert accuracy_of(logits, torch.tensor([[[1, 1], [0, 2]]])) == 0.75
    last = torch.zeros(2, 5, 7)
    last[..., 3] = 1
    targets = torch.full((2, 5), 3)
    targets[0, 0] = 1
    assert accuracy_of(last, targets, Contrastive()) == 0.9


def test_as_many_steps_as_classes_are_told_apart_by_the_criterion_or_not_at_all() -> None:
    """PyTorch's own takes classes at one place only; of another's outputs nothing is known."""
    outputs = torch.zeros(2, 5, 5)
    outputs[:, 3] = 1
    targets = torch.full((2, 5), 3)
    assert accuracy_of(outputs, targets) == 1
    assert accuracy_of(outputs, targets, Focal()) is None


@pytest.mark.parametrize(
    ("outputs", "targets"),
    [
        (torch.zeros(2, 1), torch.tensor([[1.0], [2.0]])),
        (torch.zeros(2, 3), torch.tensor([0.5, 1.0])),
        (torch.zeros(2, 3), torch.tensor([True, False])),
        (torch.zeros(2, 1), torch.tensor([0, 0])),
        (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.int64)),
        (torch.zeros(2, 20, 10), torch.zeros(2, 7, dtype=torch.int64)),
        (torch.zeros(3), torch.zeros(3, dtype=torch.int64)),
        ({"logits": torch.zeros(2, 3)}, torch.tensor([0, 1])),
        (torch.zeros(2, 3), [0, 1]),
    ],
)
def test_accuracy_is_left_out_where_it_means_nothing(outputs: Any, targets: Any) -> None:
    """Nothing is counted, and nothing is raised."""
    assert accuracy_of(outputs, targets) is None


def test_evaluation_begins_with_nothing() -> None:
    """What was counted before is forgotten."""
    accuracy = Accuracy(nn.CrossEntropyLoss())
    accuracy.update(torch.eye(2), torch.tensor([1, 0]))
    accuracy.reset()
    accuracy.update(torch.eye(2), torch.tensor([0, 1]))
    assert accuracy.compute() == {"accuracy": 1}
