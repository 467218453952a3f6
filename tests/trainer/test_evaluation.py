"""Models are measured over all samples, in evaluation mode."""

from typing import Any

import pytest
import torch
from torch import nn

from trainer.accuracy import Accuracy, classifies
from trainer.configured_metrics import Measures
from trainer.evaluation import evaluate
from trainer.model_call import ModelCall


def measured(batches: list[Any], criterion: Any, model: nn.Module | None = None) -> dict[str, Any]:
    """Evaluate outputs, or what a model makes of samples, with the accuracy where it is known."""
    measures = Measures({}, Accuracy(criterion) if classifies(criterion) else None)
    call = ModelCall(model or nn.Identity(), criterion)
    return evaluate(call, batches, torch.device("cpu"), measures)


def test_loss_and_accuracy_are_means_over_samples_not_batches() -> None:
    """A small last batch does not count as much as a full one."""
    logits = torch.tensor([[9.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    batches = [(logits[:2], torch.tensor([0, 0])), (logits[2:], torch.tensor([0]))]
    whole = nn.CrossEntropyLoss()(logits, torch.tensor([0, 0, 0])).item()
    values = measured(batches, nn.CrossEntropyLoss())
    assert values == {"loss": pytest.approx(whole), "accuracy": pytest.approx(2 / 3)}


def test_nothing_is_dropped_or_tracked() -> None:
    """Dropout is off and no gradient is kept."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.9))
    seen = []
    model.register_forward_hook(lambda _module, _inputs, logits: seen.append(logits))
    samples = torch.ones(4, 2)
    measured([(samples, torch.zeros(4, dtype=torch.int64))], nn.CrossEntropyLoss(), model)
    assert not seen[0].requires_grad
    assert torch.equal(seen[0], model[0](samples))
