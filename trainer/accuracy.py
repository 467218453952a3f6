"""The accuracy: for which criteria and outputs it is defined, and how it is computed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

# Criteria whose outputs are one number per class, and whose targets are class indices.
MODULES = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss)
FUNCTIONS = (functional.cross_entropy, functional.nll_loss, functional.multi_margin_loss)
IGNORED = -100  # PyTorch's default
ROWS = 2  # dimensions of outputs (batch, classes)


class Accuracy:
    """The share of targets with the highest output; the counts stay on their device.

    Outputs are (batch, classes) for targets (batch,), or have more dimensions, as (batch, classes,
    ...) for (batch, ...) or (batch, ..., classes) for (batch, ...). If both fit, it is the first for
    a criterion of PyTorch, which accepts no other; otherwise nothing is counted. Targets that the
    criterion ignores do not count.

    Args:
        criterion: The criterion.
    """

    def __init__(self, criterion: object) -> None:
        called, options = _unwrapped(criterion)
        ignored = options.get("ignore_index", getattr(called, "ignore_index", IGNORED))
        self.ignored = ignored if isinstance(ignored, int) else IGNORED
        self.is_pytorchs = type(called) in MODULES or called in FUNCTIONS
        self.reset()

    def reset(self) -> None:
        """Start an evaluation."""
        self._right: list[Tensor] = []
        self._counted: list[Tensor] = []

    def update(self, outputs: object, targets: object) -> None:
        """Add a batch, if its outputs are one number per class and its targets class indices."""
        if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
            return
        if targets.is_floating_point() or targets.is_complex() or targets.dtype is torch.bool:
            return
        if (dim := self._dim_of_classes(outputs, targets)) is None or outputs.shape[dim] < ROWS:
            return
        counted = targets != self.ignored
        right = outputs.argmax(dim=dim) == targets
        # A class index is never negative, so an ignored target is not right anyway.
        self._right.append((right & counted if self.ignored >= 0 else right).sum())
        self._counted.append(counted.sum())

    def _dim_of_classes(self, outputs: Tensor, targets: Tensor) -> int | None:
        shape = [*targets.shape]
        fitting = [
            dim
            for dim in dict.fromkeys((1, outputs.dim() - 1))
            if outputs.dim() == len(shape) + 1 >= ROWS
            and [*outputs.shape[:dim], *outputs.shape[dim + 1 :]] == shape
        ]
        if self.is_pytorchs:
            fitting = [dim for dim in fitting if dim == 1]
        return fitting[0] if len(fitting) == 1 else None

    def compute(self) -> dict[str, float]:
        """Return the share of correct predictions, or an empty dictionary if nothing was counted."""
        if not self._counted:
            return {}
        counted = torch.stack(self._counted).sum().item()
        return {"accuracy": torch.stack(self._right).sum().item() / counted} if counted else {}


def classifies(criterion: object) -> bool:
    """Return whether a criterion compares one number per class with targets that are class indices.

    Some of PyTorch's do, their subclasses, and those with a true attribute `classifies`. Others may
    take embeddings, or anything else, in tensors of the same shapes.
    """
    called, _ = _unwrapped(criterion)
    said = getattr(called, "classifies", None)
    return bool(said) if said is not None else isinstance(called, MODULES) or called in FUNCTIONS


def _unwrapped(criterion: Any) -> tuple[Any, dict[str, Any]]:  # noqa: ANN401 - it may be anything
    """Return what a criterion calls, and the arguments that it adds."""
    options: dict[str, Any] = {}
    called: Callable[..., object] = criterion
    while isinstance(called, partial):
        options = {**called.keywords, **options}
        called = called.func
    return called, options
