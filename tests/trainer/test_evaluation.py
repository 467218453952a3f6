"""Models are measured over all samples, in evaluation mode."""

import pytest
import torch
from torch import nn

from trainer.configured_metrics import Measures
from trainer.evaluation import evaluate


def test_loss_and_accuracy_are_means_over_samples_not_batches() -> None:
    """A small last batch does not count as much as a full one."""
    logits = torch.tensor([[9.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    batches = [(logits[:2], torch.tensor([0, 0])), (logits[2:], torch.tensor([0]))]
    values = evaluate(
        nn.Identity(), nn.CrossEntropyLoss(), batches, torch.device("cpu"), Measures({})
    )
    whole = nn.CrossEntropyLoss()(logits, torch.tensor([0, 0, 0])).item()
    assert values == {"loss": pytest.approx(whole), "accuracy": pytest.approx(2 / 3)}


def test_nothing_is_dropped_or_tracked() -> None:
    """Dropout is off and no gradient is kept."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.9))
    seen = []
    model.register_forward_hook(lambda _module, _inputs, logits: seen.append(logits))
    samples = torch.ones(4, 2)
    targets = torch.zeros(4, dtype=torch.int64)
    evaluate(model, nn.CrossEntropyLoss(), [(samples, targets)], torch.device("cpu"), Measures({}))
    assert not seen[0].requires_grad
    assert torch.equal(seen[0], model[0](samples))


def test_accuracy_is_left_out_where_it_means_nothing() -> None:
    """Outputs that are numbers are never counted as guesses."""
    batches = [(torch.zeros(2, 1), torch.tensor([[1.0], [2.0]]))]
    values = evaluate(nn.Identity(), nn.MSELoss(), batches, torch.device("cpu"), Measures({}))
    assert values == {"loss": 2.5}


def test_accuracy_of_images_counts_pixels() -> None:
    """Targets with places, as in segmentation, are as many guesses as there are places."""
    logits = torch.zeros(1, 3, 2, 2)
    logits[:, 1, 0] = 1
    batches = [(logits, torch.tensor([[[1, 1], [0, 2]]]))]
    criterion = nn.CrossEntropyLoss()
    values = evaluate(nn.Identity(), criterion, batches, torch.device("cpu"), Measures({}))
    assert values["accuracy"] == 0.75
