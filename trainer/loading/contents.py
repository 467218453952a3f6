"""The digest of the contents of samples: equal digests mean equal bits, in any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from hashlib import _Hash

PLAIN = (str, bytes, bytearray, bool, int, float, complex, type(None))
# Of a larger tensor, only `ROWS` rows are used.
MOST_BYTES = 64 * 2**20
ROWS = 1024
DEEPEST = 20


def digest_of_samples(value: Any) -> str:  # noqa: ANN401 - samples are the user's
    """Return the digest of samples of any type.

    Objects count by their attributes, or, if these are not accessible, by their type.
    """
    found = sha256()
    _feed(found, value, DEEPEST)
    return found.hexdigest()


def digest_of_tensors(tensors: Sequence[torch.Tensor]) -> str:
    """Return the digest of tensors whose rows are samples; of large ones, of some rows."""
    found = sha256()
    for tensor in tensors:
        found.update(f"{tensor.dtype}{[*tensor.shape]};".encode())
        part = tensor
        if tensor.numel() * tensor.element_size() > MOST_BYTES:
            rows = torch.linspace(0, len(tensor) - 1, min(ROWS, len(tensor)))
            # In single precision, the last of more than 2**24 rows is rounded to one behind it.
            rows = rows.long().clamp(max=len(tensor) - 1)
            part = tensor[rows.to(tensor.device)]
        _feed(found, part, DEEPEST)
    return found.hexdigest()


def _feed(found: _Hash, value: Any, depth: int) -> None:  # noqa: ANN401 - as above
    found.update(f"{type(value).__qualname__};".encode())
    if isinstance(value, PLAIN):
        found.update(f"{value!r};".encode())
    elif isinstance(value, torch.Tensor):
        _feed_tensor(found, value)
    elif isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind != "O":
        found.update(f"{value.dtype}{[*value.shape]};".encode())
        found.update(value.tobytes())
    elif depth:
        for key, part in _parts_of(value):
            found.update(f"{key};".encode())
            _feed(found, part, depth - 1)


def _feed_tensor(found: _Hash, value: torch.Tensor) -> None:
    found.update(f"{value.dtype}{[*value.shape]};".encode())
    if value.layout is not torch.strided:
        value = value.to_dense()
    if value.is_nested or value.is_quantized or value.device.type == "meta":
        return
    plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    found.update(plain.view(torch.uint8).numpy().data)


def _parts_of(value: Any) -> list[tuple[object, Any]]:  # noqa: ANN401 - as above
    if isinstance(value, Mapping):
        return [(repr(key), item) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [*enumerate(value)]
    if isinstance(value, np.ndarray):
        return [*enumerate(value.flat)]
    if is_dataclass(value):
        return [(each.name, getattr(value, each.name, None)) for each in fields(value)]
    if isinstance(value, type) or callable(value):
        return []
    return [*getattr(value, "__dict__", {}).items()]
