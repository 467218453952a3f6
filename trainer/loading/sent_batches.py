"""Sent batches: what a loader worker makes, and the errors that it raises, have to reach the trainer.

PyTorch pickles them on a thread, whose errors are printed only: the trainer would wait for ever.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Final

import numpy as np
from torch import Tensor

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN: Final = {int, float, bool, complex, str, bytes, type(None)}
INSTEAD: Final = (
    "Let the samples and dataloader.collate_fn give tensors and plain values, or set"
    " dataloader.num_workers: 0."
)


def check_sendable(batch: object) -> None:
    """Check, in a loader worker, that a batch can be sent to the trainer.

    Raises:
        ConfigError: If it cannot.
    """
    for value in _unusual_in(batch):
        kind = type(value).__name__
        if isinstance(value, Tensor) and value.requires_grad and not value.is_leaf:
            raise ConfigError(
                "data: a loader worker makes a tensor that needs a gradient, which cannot be sent to the"
                f" trainer. Detach it. {INSTEAD}"
            )
        try:
            pickle.dumps(value)
        except Exception as error:  # whatever the object raises
            raise ConfigError(
                f"data: a loader worker makes a {kind}, which cannot be sent to the trainer: {error}. {INSTEAD}"
            ) from error


def as_sendable(error: Exception) -> Exception:
    """Return an error, or if the trainer could not get it from a worker, one that says the same."""
    try:
        pickle.dumps(type(error))
    except Exception:  # noqa: BLE001 - whatever its class raises
        return RuntimeError(f"{type(error).__name__} was raised where samples are made: {error}")
    return error


def _unusual_in(value: object) -> Iterator[object]:
    """Yield the values that are not certain to be sent."""
    kind = type(value)
    if kind in PLAIN:
        return
    if kind is dict:
        for key, each in value.items():  # type: ignore[attr-defined]  # a dictionary
            yield from _unusual_in(key)
            yield from _unusual_in(each)
    elif kind in (list, tuple):
        for each in value:  # type: ignore[attr-defined]  # one of these
            yield from _unusual_in(each)
    elif kind is Tensor:
        if value.requires_grad and not value.is_leaf:  # type: ignore[attr-defined]  # a tensor
            yield value
    elif kind is not np.ndarray or value.dtype.hasobject:  # type: ignore[attr-defined]  # an array
        yield value
