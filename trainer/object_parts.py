"""The parts of an object: what its attributes, items, classes and frames hold, by paths.

Of what installed packages define, only what may lead to the user's own code is a part.
"""

from __future__ import annotations

import argparse
import gc
import threading
from collections import ChainMap, Counter, UserDict, UserList, UserString, deque
from contextlib import suppress
from contextvars import ContextVar
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache, partial
from itertools import chain, islice, pairwise
from queue import Queue
from types import FunctionType, GeneratorType, MappingProxyType, MethodType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, WeakValueDictionary

import numpy as np
from torch.nn.modules.lazy import LazyModuleMixin
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.quasirandom import SobolEngine
from torch.utils.data import TensorDataset

from trainer.iterator_positions import batches_taken, held_by_iterator, is_iterator
from trainer.target_errors import is_installed
from trainer.ways_to_save import is_of_package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import nn

    Parts = Iterator[tuple[str, Any]]

MOST_ITEMS: Final = 256  # of a container
NUMBERS: Final = (bool, int, float, complex, np.generic, Decimal, Fraction, date, time, timedelta)
SIMPLE: Final = (*NUMBERS, str, bytes, type(None))
FUNCTIONS: Final = (FunctionType, MethodType, partial)
SEQUENCES: Final = (list, tuple, deque)
# Classes of packages whose objects hold what the user puts into them.
HOLDERS: Final = (
    *(SimpleNamespace, argparse.Namespace, UserDict, UserList, UserString, ChainMap, Queue),
    *(threading.local, SobolEngine),
)
CACHED: Final = type(lru_cache(lambda: None))
# Attributes that are searched otherwise, and those that PyTorch saves or sets.
OF_MODULES: Final = {"training", "_parameters", "_buffers", "_modules"}
OF_OPTIMIZERS: Final = {"state", "param_groups", "defaults"}
WHICH: Final = "#"  # before the address of one of several keys of a class


class ItemCount(int):
    """The number of items in a dictionary or set, which may be a cache."""


def parts_of(path: str, value: Any) -> Parts:  # noqa: ANN401 - it may be anything
    """Yield the parts of anything but a function or a module of PyTorch."""
    match value:
        case MethodType():
            return iter([(path, value.__self__), (path, value.__func__)])
        case partial():
            return iter([(path, value.func), (path, value.args), (path, value.keywords)])
        case type():
            return _attributes_of(f"{value.__module__}.{value.__qualname__}", value)
        case GeneratorType():
            return _of_generator(path, value)
        case LRScheduler():
            return _of_schedule(path, value)
        case _:
            return chain(_behind(path, value), _items_of(path, value), of_object(path, value))


def _behind(path: str, value: Any) -> Parts:  # noqa: ANN401 - as above
    """Yield what objects of the standard library hold, but show by no attribute or item."""
    if isinstance(value, ContextVar):
        with suppress(LookupError):  # it has no value yet
            yield path, value.get()
    elif isinstance(value, MappingProxyType):
        yield path, {**value}
    elif isinstance(value, CACHED):
        yield from _cached_by(path, value)
    elif isinstance(value, ReferenceType):
        yield path, value()
    elif is_iterator(value):
        yield from ((path, each) for each in held_by_iterator(value) if _may_lead_to_own(each))


def of_layer(path: str, module: nn.Module) -> Parts:
    """Yield the numbers of a module of a package, and what may lead to the user's own code, such as hooks."""
    is_still = not isinstance(module, LazyModuleMixin)
    for name, held in vars(module).items():
        if name not in OF_MODULES:
            is_public = is_still and not name.startswith("_")
            if (is_public and isinstance(held, (int, float))) or _may_lead_to_own(held):
                yield f"{path}.{name}", held


def _items_of(path: str, value: Any) -> Parts:  # noqa: ANN401 - as above
    """Yield the items of a container, and how many there are."""
    if isinstance(value, dict):  # not by methods of a subclass, which may do anything
        yield path, ItemCount(dict.__len__(value))
        yield from _named(path, dict.items(value))
        yield from _objects_in(f"{path}.keys()", dict.__iter__(value))
    elif kind := next((each for each in SEQUENCES if isinstance(value, each)), None):
        yield path, kind.__len__(value)
        yield from ((f"{path}[{place}]", item) for place, item in enumerate(kind.__iter__(value)))
    elif isinstance(value, (set, frozenset)):
        yield path, ItemCount(len(value))
        yield from _objects_in(path, value)
    elif isinstance(value, np.ndarray):
        yield from ((f"{path}[{place}]", item) for place, item in enumerate(value.flat))


def _objects_in(path: str, items: Iterable[object]) -> Parts:
    """Yield the keys of a dictionary or the items of a set that are objects, which may change."""
    return _named(path, ((each, each) for each in items if not isinstance(each, (*SIMPLE, tuple))))


def _held_weakly(path: str, value: Any) -> Parts:  # noqa: ANN401 - as above
    """Yield what a weak container holds, but not how much: that depends on the garbage collector."""
    if isinstance(value, WeakSet):
        return _objects_in(path, value)
    items = [*value.items()]
    return chain(
        _named(path, items),
        _objects_in(f"{path}.keys()", (key for key, _ in items)),
    )


def _named(path: str, items: Iterable[tuple[object, object]]) -> Parts:
    """Yield values with the paths that their keys give them.

    A key that is an object is named by its class. Of several, each keeps its name when others come and go.
    """
    some = [*islice(items, MOST_ITEMS)]
    kinds = Counter(type(key) for key, _ in some)
    for key, value in some:
        if isinstance(key, (str, int, float)) or (
            isinstance(key, tuple) and all(isinstance(each, SIMPLE) for each in key)
        ):
            name = repr(key)
        else:
            name = type(key).__name__ + (f"{WHICH}{id(key)}" if kinds[type(key)] > 1 else "")
        yield f"{path}[{name}]", value


def _cached_by(path: str, function: Any) -> Parts:  # noqa: ANN401 - as above
    """Yield the results that `functools.lru_cache` keeps, which the user's code may change.

    They are in a dictionary, or, if their number is limited, each follows its key.
    """
    held = gc.get_referents(function)
    cache = next(each for each in held if type(each) is dict and each is not vars(function))
    places = {id(key): place for place, key in enumerate(cache)}
    for key, result in pairwise(held):
        if id(key) in places:
            yield f"{path}({places[id(key)]})", result
    if id(next(iter(cache), None)) not in map(id, held):
        yield path, cache


def of_object(path: str, value: Any) -> Parts:  # noqa: ANN401 - as above
    """Yield the attributes of an object, and those of its classes, or what it holds weakly."""
    if isinstance(value, (WeakKeyDictionary, WeakValueDictionary, WeakSet)):
        yield from _held_weakly(path, value)
        return
    kind = type(value)
    left_out = OF_OPTIMIZERS if isinstance(value, Optimizer) else OF_MODULES
    if isinstance(value, TensorDataset):
        yield f"{path}.tensors", value.tensors
    if (taken := batches_taken(value)) is not None:
        yield path, taken
    if isinstance(value, HOLDERS) and is_of_package(kind):
        yield from ((f"{path}.{name}", held) for name, held in vars(value).items())
    elif is_of_package(kind):
        for name, held in [*getattr(value, "__dict__", {}).items()]:
            if name not in left_out and _may_lead_to_own(held):
                yield f"{path}.{name}", held
    else:
        left_out = left_out | _set_by_trainer(kind)
        for name, held in _attributes_of(path, kind, value):
            if name.rpartition(".")[2] not in left_out:
                yield name, held


def _set_by_trainer(kind: type) -> set[str]:
    """Return the attributes that `set_epoch` sets, which the trainer calls before each pass."""
    method = getattr(kind, "set_epoch", None)
    return {*method.__code__.co_names} if isinstance(method, FunctionType) else set()


def _may_lead_to_own(held: object) -> bool:
    """Return whether an attribute of a package's object may lead to the user's own code."""
    if isinstance(held, (list, tuple)):
        return len(held) <= MOST_ITEMS and any(map(_may_lead_to_own, held))
    if isinstance(held, dict):
        return len(held) <= MOST_ITEMS and any(map(_may_lead_to_own, held.values()))
    return isinstance(held, (*FUNCTIONS, GeneratorType)) or not (
        isinstance(held, SIMPLE) or is_of_package(type(held))
    )


def _attributes_of(path: str, kind: type, value: object = None) -> Parts:
    """Yield the attributes of a class of the user's own, and those of an object that hides them."""
    found: dict[str, Any] = {}
    for each in reversed(kind.__mro__):
        if not is_of_package(each):
            found.update(vars(each))
    slots = [name for name, held in found.items() if type(held).__name__ == "member_descriptor"]
    found |= {name: getattr(value, name, None) for name in slots}
    found |= getattr(value, "__dict__", {}) if value is not None else {}
    for name, held in found.items():
        function = _unwrapped(held)
        if isinstance(function, FunctionType) or not name.startswith(("__", "_abc_")):
            yield f"{path}.{name}", function


def _unwrapped(held: Any) -> Any:  # noqa: ANN401 - as above
    match held:
        case staticmethod() | classmethod():
            return held.__func__
        case property():
            return held.fget
        case cached_property():
            return held.func
        case _:
            return held


def _of_generator(path: str, value: GeneratorType[Any, Any, Any]) -> Parts:
    """Yield where a generator of the user's own is, and what its variables hold."""
    if value.gi_frame is not None and not is_installed(value.gi_code.co_filename):
        held = value.gi_frame.f_locals
        numbers = {name: each for name, each in held.items() if isinstance(each, SIMPLE)}
        yield path, repr((value.gi_frame.f_lasti, numbers))
        yield from ((f"{path}.{name}", each) for name, each in held.items() if name not in numbers)


def _of_schedule(path: str, schedule: LRScheduler) -> Parts:
    """Yield what PyTorch does not save of a schedule: functions, and attributes of classes."""
    if not is_of_package(type(schedule)):
        yield path, type(schedule)
    for name, held in vars(schedule).items():
        for each in held if isinstance(held, (list, tuple)) else (held,):
            if isinstance(each, (*FUNCTIONS, LRScheduler)):
                yield f"{path}.{name}", each
            elif name != "optimizer" and not is_of_package(type(each)):
                yield f"{path}.{name}", type(each)  # PyTorch saves its attributes
