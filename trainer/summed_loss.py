"""Summed loss: a criterion that gives the sum over a batch, where the trainer expects the mean."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trainer.settings import TrainingSettings

PYTORCHS: Final = ("torch.nn.modules.loss", "torch.nn.functional")


def describe_sum(criterion: object, settings: TrainingSettings) -> str:
    """Return a note on what a loss of PyTorch with ``reduction="sum"`` changes; nothing for others."""
    of_class = getattr(type(criterion), "forward", None)
    given = getattr(criterion, "reduction", None)
    if isinstance(criterion, functools.partial):
        of_class, given = criterion.func, criterion.keywords.get("reduction")
    if given != "sum" or inspect.getmodule(of_class) is None or of_class.__module__ not in PYTORCHS:
        return ""
    average = ", and accumulate takes the average of several" if settings.accumulate > 1 else ""
    return (
        "criterion.reduction: with sum, the losses that are reported and the gradients are those of a whole"
        f" batch{average}, so they grow with the size of batches. With mean, they are those of a sample."
    )
