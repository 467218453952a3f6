"""The shape of a batch: all of its structure but the numbers in its tensors."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

if TYPE_CHECKING:
    Shape = tuple[Any, ...]

PLAIN: Final = (type(None), bool, int, float, str, bytes)


def shape_of(value: Any, device: torch.device) -> Shape | None:  # noqa: ANN401 - a batch is the user's
    """Return the shape of a batch, which can be compared and hashed.

    Batches of one shape differ in nothing but the numbers in their tensors. None is for a batch with anything
    else than tensors on the device, numbers and texts, in lists, tuples and dictionaries.
    """
    if type(value) is Tensor:
        is_plain = value.layout is torch.strided and not value.requires_grad
        known = (Tensor, value.shape, value.stride(), value.dtype)
        return known if is_plain and value.device == device else None
    if type(value) in PLAIN:
        return type(value), repr(value)
    if not isinstance(value, (dict, list, tuple)) or hasattr(value, "to"):
        return None
    items = (*value.keys(), *value.values()) if isinstance(value, dict) else value
    parts = [shape_of(each, device) for each in items]
    return None if None in parts else (type(value), *parts)


def copied(value: Any) -> Any:  # noqa: ANN401 - as above
    """Return a copy of a batch that has a shape, with memory of its own."""
    if type(value) is Tensor:
        return value.clone()
    if isinstance(value, dict):
        made = copy(value)  # of the same type
        for key, each in value.items():
            made[key] = copied(each)
        return made
    if isinstance(value, (list, tuple)):
        items = [*map(copied, value)]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value
