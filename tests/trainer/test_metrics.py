"""Models are measured over all samples, in evaluation mode."""

import pytest
import torch
from torch import nn

from trainer.metrics import evaluate


def test_loss_and_accuracy_are_means_over_samples_not_batches() -> None:
    """A small last batch does not count as much as a full one."""
    logits = torch.tensor([[9.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    batches = [(logits[:2], torch.tensor([0, 0])), (logits[2:], torch.tensor([0]))]
    values = evaluate(nn.Identity(), nn.CrossEntropyLoss(), batches, torch.device("cpu"))
    whole = nn.CrossEntropyLoss()(logits, torch.tensor([0, 0, 0])).item()
    assert values == {"loss": pytest.approx(whole), "accuracy": pytest.approx(2 / 3)}


def test_nothing_is_dropped_or_tracked() -> None:
    """Dropout is off and no gradient is kept."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.9))
    seen = []
    model.register_forward_hook(lambda _module, _inputs, logits: seen.append(logits))
    samples = torch.ones(4, 2)
    targets = torch.zeros(4, dtype=torch.int64)
    evaluate(model, nn.CrossEntropyLoss(), [(samples, targets)], torch.device("cpu"))
    assert not seen[0].requires_grad
    assert torch.equal(seen[0], model[0](samples))
