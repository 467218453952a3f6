"""Changes of a data set in place, as by callbacks: detected by a digest of its objects."""

from __future__ import annotations

import sys
from hashlib import blake2b
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from trainer.loading.hidden_generators import KINDS
from trainer.loading.object_graph import CONTAINERS, ON_HEAP, is_leaf, reachable

if TYPE_CHECKING:
    from hashlib import blake2b as Hash  # noqa: N812 - its type has this name

# Beyond these limits, the digest takes longer than starting workers.
MOST_OBJECTS = 20_000
MOST_BYTES = 16 * 2**20


def mark_of(samples: object) -> bytes | None:
    """Return a mark of the content of a data set: equal marks mean that nothing in it changed.

    Returns:
        The mark, or `None` if it cannot be computed, or not quickly: the data set is very large, or
        has an object whose content is not accessible.
    """
    found, left, count = blake2b(digest_size=16), MOST_BYTES, 0
    first_paths: dict[int, str] = {}
    for path, value in reachable(
        samples, most_objects=MOST_OBJECTS, most_items=MOST_OBJECTS, into_packages=False
    ):
        count += 1
        found.update(f"\0{path}\0{type(value).__qualname__}\0".encode())
        if is_leaf(value):
            left -= _size_of(value)
            if left < 0 or not _feed(found, value):
                return None
        elif (first := first_paths.setdefault(id(value), path)) != path:
            found.update(first.encode())
        elif not _shows_its_contents(value):
            return None
    return None if count == MOST_OBJECTS else found.digest()


def _size_of(value: Any) -> int:  # noqa: ANN401 - it may be anything
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return int(value.nbytes)
    return len(value) if isinstance(value, (str, bytes, bytearray)) else 8


def _feed(found: Hash, value: Any) -> bool:  # noqa: ANN401 - as above
    """Update a digest with a plain value; return whether that is possible."""
    match value:
        case torch.Tensor():
            if value.layout is not torch.strided or value.device.type != "cpu":
                return False
            found.update(f"{value.dtype}{[*value.shape]}".encode())
            whole = value.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
            found.update(whole.view(torch.uint8).numpy().data)
        case np.ndarray() | np.generic():
            found.update(f"{value.dtype}{[*value.shape]}".encode())
            found.update(value.tobytes())
        case ModuleType():
            found.update(value.__name__.encode())
        case _:
            found.update(repr(value).encode())
    return True


def _shows_its_contents(value: object) -> bool:
    """Return whether the attributes and items of an object are its whole content."""
    plain = (type, FunctionType, BuiltinFunctionType, MethodType, dict, *CONTAINERS, *KINDS)
    if isinstance(value, plain) or hasattr(value, "__dict__"):
        return _is_written_in_python(value) or isinstance(value, plain)
    return isinstance(value, (np.ndarray, torch.dtype, torch.device, range, slice)) or bool(
        getattr(type(value), "__slots__", None)
    )


def _is_written_in_python(value: object) -> bool:
    """Return whether no class of an object, except `object`, is a C class, which may hide content."""
    return all(each is object or _has_source(each) for each in type(value).__mro__)


def _has_source(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    file = str(getattr(module, "__file__", ""))
    return bool(kind.__flags__ & ON_HEAP) and (file.endswith(".py") or module is _MAIN)


_MAIN = sys.modules["__main__"]
