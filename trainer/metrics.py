"""Owns how a model is measured on a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor, nn


@torch.no_grad()
def evaluate(
    model: nn.Module,
    criterion: Callable[[Tensor, Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    device: torch.device,
) -> dict[str, float]:
    """Return the mean loss and the accuracy over all samples, with the model in evaluation mode.

    Args:
        model: Maps samples (batch, ...) to logits (batch, classes).
        criterion: Maps logits and targets (batch,) to the batch's mean loss.
        batches: Pairs of samples and targets.
        device: Where the model is.
    """
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    count = 0
    for samples, on_host in batches:
        targets = on_host.to(device, non_blocking=True)
        logits = model(samples.to(device, non_blocking=True))
        loss += criterion(logits, targets) * len(targets)
        correct += (logits.argmax(dim=1) == targets).sum()
        count += len(targets)
    return {"loss": loss.item() / count, "accuracy": correct.item() / count}
