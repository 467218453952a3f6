"""The digest of a state: equal digests mean equal bits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import torch


def digest_of(value: object) -> str:
    """Return the SHA-256 of tensors and plain values, nested in dictionaries, lists and tuples."""
    sha256 = hashlib.sha256()
    _feed(sha256, value)
    return sha256.hexdigest()


def tensors_in(state: object) -> Iterator[torch.Tensor]:
    """Yield the tensors of a state, nested in dictionaries, lists and tuples."""
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for each in state.values() if isinstance(state, dict) else state:
            yield from tensors_in(each)


def _feed_tensor(sha256: hashlib._Hash, tensor: torch.Tensor) -> None:
    """Update a digest with the values of a tensor, independent of its memory layout."""
    if tensor.layout is torch.sparse_coo:
        tensor = tensor.to_dense()
    sha256.update(f"tensor {tensor.dtype} {[*tensor.shape]};".encode())
    parts = [tensor]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        parts = [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        parts = [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    for part in parts:
        # Conjugate and negative tensors may only be flagged as such.
        plain = part.cpu().resolve_conj().resolve_neg().contiguous()
        # A tensor of one element may be contiguous with any stride.
        flat = plain.as_strided((plain.numel(),), (1,))
        sha256.update(flat.view(torch.uint8).numpy().data)


def _feed(sha256: hashlib._Hash, value: object) -> None:
    """Update a digest with a value, so that different structures never give the same bytes."""
    match value:
        case torch.Tensor():
            _feed_tensor(sha256, value.detach())
        case Mapping():
            sha256.update(f"mapping {len(value)};".encode())
            for key, item in value.items():
                _feed(sha256, key)
                _feed(sha256, item)
        case list() | tuple():
            sha256.update(f"sequence {len(value)};".encode())
            for item in value:
                _feed(sha256, item)
        case set() | frozenset():
            sha256.update(f"set {len(value)};".encode())
            for item in sorted(map(digest_of, value)):
                _feed(sha256, item)
        case _:
            sha256.update(f"{type(value).__name__} {value!r};".encode())


def copy_of_state(state: object) -> Any:  # noqa: ANN401 - that of the state
    """Copy a state; tensors with a graph, which no copy can have, without it, as in a checkpoint."""
    with_graph = (tensor for tensor in tensors_in(state) if not tensor.is_leaf)
    return deepcopy(state, {id(tensor): tensor.detach().clone() for tensor in with_graph})
