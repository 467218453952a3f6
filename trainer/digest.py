"""Owns the digest of a state: equal digests mean equal bits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch


def digest_of(value: object) -> str:
    """Return the SHA-256 of tensors and plain values, nested in dictionaries, lists and tuples."""
    sha256 = hashlib.sha256()
    _feed(sha256, value)
    return sha256.hexdigest()


def _feed(sha256: hashlib._Hash, value: object) -> None:
    """Feed a value so that different structures never give the same bytes."""
    match value:
        case torch.Tensor():
            if value.layout is torch.sparse_coo:
                value = value.to_dense()
            sha256.update(f"tensor {value.dtype} {[*value.shape]};".encode())
            flat = value.detach().cpu().contiguous().reshape(-1)
            sha256.update(flat.view(torch.uint8).numpy().data)
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
