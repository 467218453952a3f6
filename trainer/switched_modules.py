"""Modules that change when they are switched between training and evaluation.

LoRA's layers merge their update into the weights for evaluations; others fold or cache something of their
weights, which they do not save.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import nn

from trainer.state_digest import copy_of_state, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def as_trained(module: nn.Module) -> Iterator[None]:
    """Switch a module that may change for evaluations to training, in which its weights are averaged."""
    is_switched = _may_change(module) and not module.training
    if is_switched:
        module.train()
    try:
        yield
    finally:
        if is_switched:
            module.eval()


def prepare_for_evaluation(module: nn.Module) -> None:
    """Let a module in evaluation mode, whose state was loaded, prepare again what it makes of its weights.

    The state stays the same, to the bit.
    """
    if module.training or not _may_change(module):
        return
    before = copy_of_state(module.state_dict())
    module.train()
    module.eval()
    if digest_of(module.state_dict()) != digest_of(before):
        module.load_state_dict(before)


def _may_change(module: nn.Module) -> bool:
    return any(type(each).train is not nn.Module.train for each in module.modules())
