"""The object graph: iterates over everything that an object holds, breadth first."""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from functools import partial
from itertools import chain, islice
from logging import Logger
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from trainer.read_only import OURS, ReadOnly, added_by_others

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Steps = Iterator[tuple[str, Any]]

# Types that are not searched further.
LEAVES = (str, bytes, bytearray, int, float, complex, type(None), ModuleType, Logger, torch.Tensor)
PLAIN = {str, bytes, int, float, bool, type(None), ModuleType, torch.Tensor, nn.Parameter}
CONTAINERS = (list, tuple, set, frozenset, deque)
# Classes and functions of these packages are not searched.
LIBRARIES = {*sys.stdlib_module_names, "torch", "numpy", "hydra", "omegaconf", OURS}
PACKAGES = ("site-packages", "dist-packages")
ON_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set for class statements, and rarely for C classes
DESCRIPTORS = (GetSetDescriptorType, MemberDescriptorType)


def reachable(
    *roots: object,
    most_objects: int,
    most_items: int,
    into_packages: bool = True,
    without: Sequence[object] = (),
) -> Steps:
    """Yield (path, object) for everything that objects hold: attributes, items, and code's names.

    An object that is held twice is yielded twice, and searched once. The order is the same in every
    process, except within sets.

    Args:
        roots: The objects to start from.
        most_objects: The number of objects after which the search ends.
        most_items: The number of parts of one object that are searched.
        into_packages: Whether classes and functions of installed packages are searched.
        without: Objects that are not searched.
    """
    seen = {id(each): each for each in without}  # kept alive, so that no address is reused
    slots: dict[int, list[str]] = {}
    waiting: deque[tuple[str, Any]] = deque(("", root) for root in roots)
    for left in reversed(range(most_objects)):
        if not waiting:
            return
        path, value = waiting.popleft()
        yield path, value
        if len(waiting) >= left:  # the search ends before it comes to what this one holds
            continue
        if type(value) in PLAIN or id(value) in seen or is_leaf(value):
            continue
        seen[id(value)] = value
        if isinstance(value, (type, FunctionType)) and not _is_looked_into(
            value, into_packages=into_packages
        ):
            continue
        held = islice(_held_by(value, slots), most_items)
        waiting.extend((f"{path}{step}", part) for step, part in held)


def is_leaf(value: object) -> bool:
    """Return whether an object is a plain value, an array of these, or a module."""
    is_array = isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind != "O"
    return is_array or isinstance(value, LEAVES)


def _held_by(value: Any, slots: dict[int, list[str]]) -> Steps:  # noqa: ANN401 - it may be anything
    if isinstance(value, FunctionType):
        return _held_by_function(value)
    if isinstance(value, type):
        return _held_by_class(value)
    if isinstance(value, (MethodType, BuiltinFunctionType)):
        return (("", getattr(value, name, None)) for name in ("__self__", "__func__"))
    if isinstance(value, ReadOnly):  # the trainer, which a callback may keep
        return ((f".{name}", each) for name, each in added_by_others(value).items())
    return chain(_held_by_container(value), _held_by_object(value, slots))


def _held_by_container(value: Any) -> Steps:  # noqa: ANN401 - as above
    if isinstance(value, dict):
        yield from (
            (f"[{_key(key, place)}]", item) for place, (key, item) in enumerate(value.items())
        )
    elif isinstance(value, CONTAINERS):
        yield from ((f"[{place}]", item) for place, item in enumerate(value))
    elif isinstance(value, np.ndarray):
        yield from ((f"[{place}]", item) for place, item in enumerate(value.flat))
    elif isinstance(value, partial):
        yield from (("", part) for part in (value.func, value.args, value.keywords))


def _key(key: object, place: int) -> str:
    """Return a key of a dictionary as text, or its place: tensors, for example, take long to print."""
    parts = key if isinstance(key, tuple) else (key,)
    return repr(key) if all(isinstance(part, (str, int, float)) for part in parts) else f"#{place}"


def _held_by_object(value: Any, slots: dict[int, list[str]]) -> Steps:  # noqa: ANN401 - as above
    is_module = isinstance(value, nn.Module)
    for name, held in getattr(value, "__dict__", {}).items():
        if not (is_module and held.__class__ in (dict, OrderedDict) and not held):  # of hooks, say
            yield f".{name}", held
    for kind in type(value).__mro__:
        if id(kind) not in slots:
            slots[id(kind)] = _slots_of(kind)
        for name in slots[id(kind)]:
            yield f".{name}", getattr(value, name, None)
    yield "", type(value)


def _slots_of(kind: type) -> list[str]:
    """Return the slots that a class statement defines, by their descriptors.

    These know the names of private ones, which are mangled.
    """
    if not kind.__flags__ & ON_HEAP:
        return []
    return [name for name, slot in vars(kind).items() if isinstance(slot, MemberDescriptorType)]


def _held_by_class(kind: type) -> Steps:
    """Yield the attributes and functions of a class and its base classes."""
    for each in kind.__mro__:
        for name, held in vars(each).items() if _is_looked_into(each) else ():
            function = held
            for wrapped in ("__func__", "fget", "func"):
                function = getattr(function, wrapped, function)
            is_plain = not isinstance(held, DESCRIPTORS) and not name.startswith(("__", "_abc_"))
            if is_plain or isinstance(function, FunctionType):
                yield f".{name}", function


def _held_by_function(function: FunctionType) -> Steps:
    """Yield the closure of a function, its defaults, and the globals that its code names."""
    for cell in function.__closure__ or ():
        try:
            yield "", cell.cell_contents
        except ValueError:  # it is still empty
            continue
    yield from (("", value) for value in function.__defaults__ or ())
    yield from (("", value) for value in (function.__kwdefaults__ or {}).values())
    names = names_in(function.__code__)
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            held = vars(value) if _root_of(value.__name__) not in LIBRARIES else {}
            yield from ((f" {name}.{each}", held[each]) for each in names if each in held)
        else:
            yield f" {name}", value


def names_in(code: CodeType) -> list[str]:
    """Return the names of globals and attributes in a function's code, and in functions inside it."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return [*dict.fromkeys([*code.co_names, *(name for each in inner for name in names_in(each))])]


def _is_looked_into(value: Any, *, into_packages: bool = True) -> bool:  # noqa: ANN401 - as above
    """Return whether a class or function is searched.

    Args:
        value: The class or function.
        into_packages: Whether those of installed packages are.
    """
    name = str(getattr(value, "__module__", ""))
    if _root_of(name) in LIBRARIES:
        return False
    file = str(getattr(sys.modules.get(name), "__file__", ""))
    return into_packages or not any(folder in file for folder in PACKAGES)


def _root_of(module: str) -> str:
    return module.partition(".")[0]
