"""Reached values: the numbers, strings and small tensors that the user's code reaches, by names.

They may be in attributes and containers, in classes, in closures and defaults of functions, and in globals
that code names. Of what installed packages define, only modules of PyTorch are searched, and functions.
"""

from __future__ import annotations

import ctypes
from array import array
from collections import deque
from functools import cache
from io import SEEK_END, BytesIO, StringIO
from itertools import chain, islice
from multiprocessing.sharedctypes import SynchronizedBase
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from trainer.iterator_positions import is_iterator, position_of
from trainer.loading.contents import digest_of_samples
from trainer.loading.hidden_generators import is_own_generator, states_of
from trainer.loading.object_graph import names_in
from trainer.object_parts import FUNCTIONS, MOST_ITEMS, SIMPLE, of_layer, of_object, parts_of
from trainer.target_errors import is_installed
from trainer.ways_to_save import is_of_package, saves_its_own_way, saves_more

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Values = dict[str, object]
    Parts = Iterator[tuple[str, Any]]

MOST_OBJECTS: Final = 5_000
MOST_BYTES: Final = 2**20  # of a tensor that is compared
SHARED: Final = (SynchronizedBase, ctypes._SimpleCData)  # noqa: SLF001 - there is no public class
BYTES: Final = (bytearray, array)
TENSORS: Final = (Tensor, nn.Parameter, nn.Buffer)
OF_COMPILER: Final = "_dynamo_"  # attributes that PyTorch adds to tensors
IN_MEMORY: Final = (BytesIO, StringIO)
PLAIN: Final = (*SIMPLE, *SHARED, *BYTES, *IN_MEMORY, np.random.SeedSequence)
HOOKS_OF_TENSORS: Final = ("_backward_hooks", "_post_accumulate_grad_hooks")


class _Reached(NamedTuple):
    path: str
    value: Any
    is_saved: bool  # the trainer saves it, as a module or a part of one


def reached_values(  # noqa: PLR0913 - few callers need more than the modules
    modules: Mapping[str, object],
    others: Mapping[str, object] | None = None,
    *,
    beside: Iterable[object] = (),
    with_own_ways: bool = False,
    generators: Callable[[], Iterable[object]] = tuple,
    most_bytes: int = MOST_BYTES,
) -> Values:
    """Return the values that objects reach, but those that PyTorch's ways to save a state save.

    Args:
        modules: The modules by their roles, whose states are saved.
        others: Other objects by their names, whose states are not.
        beside: More modules whose states are saved; they are not searched.
        with_own_ways: Whether the modules that save their states in ways of their own are searched, instead
            of those that do not.
        generators: Returns the random generators whose states are saved; called if there is one.
        most_bytes: The size of the largest tensor or array that is a value.
    """
    search = _ValueSearch(
        [*beside, *modules.values()],
        with_own_ways=with_own_ways,
        generators=generators,
        most_bytes=most_bytes,
    )
    return search.run(modules, others or {})


class _ValueSearch:
    def __init__(
        self,
        saved: Iterable[object],
        *,
        with_own_ways: bool,
        generators: Callable[[], Iterable[object]],
        most_bytes: int,
    ) -> None:
        self._with_own_ways = with_own_ways
        self._most_bytes = most_bytes
        self._generators = cache(lambda: {id(each) for each in generators()})
        self._saved = {place for each in saved for place in _memory_of(each)}
        self._known = {id(each) for each in saved}
        self._found: Values = {}
        self._seen: dict[object, object] = {}  # kept alive, so that no address is reused
        self._waiting: deque[_Reached] = deque()

    def run(self, modules: Mapping[str, object], others: Mapping[str, object]) -> Values:
        """Return the values by their paths, breadth first."""
        for path, module in modules.items():
            self._waiting.append(_Reached(path, module, is_saved=True))
        for path, other in others.items():
            self._add(path, other)
        for _ in range(MOST_OBJECTS):
            if not self._waiting:
                break
            found = self._waiting.popleft()
            if self._is_new(id(found.value), found.value):
                for path, part in islice(self._parts_of(*found), MOST_ITEMS):
                    self._add(path, part)
        return self._found

    def _is_new(self, key: object, value: object) -> bool:
        is_new = key not in self._seen
        self._seen[key] = value
        return is_new

    def _add(self, path: str, value: Any) -> None:  # noqa: ANN401 - it may be anything
        if isinstance(value, Tensor):
            if not is_lazy(value) and _memory(value) not in self._saved:
                self._note_pieces(path, _dense_pieces(value))
            self._add_attributes(path, value)
        elif isinstance(value, np.ndarray) and value.dtype.kind != "O":
            if value.nbytes <= self._most_bytes:
                self._note(path, value.tobytes())
        elif isinstance(value, PLAIN):
            self._note(path, _shown(value))
        elif is_own_generator(value):
            if id(value) not in self._generators():
                self._note(path, digest_of_samples(states_of([value])))
        elif id(value) not in self._known:
            self._note_itself(path, value)
            self._waiting.append(_Reached(path, value, is_saved=False))

    def _add_attributes(self, path: str, tensor: Tensor) -> None:
        """Add what the user's code has added to a tensor."""
        if type(tensor) not in TENSORS and is_of_package(type(tensor)):
            return
        held = getattr(tensor, "__dict__", None)
        if held and self._is_new(id(tensor), tensor):
            for name, each in islice(held.items(), MOST_ITEMS):
                if not name.startswith(OF_COMPILER):
                    self._add(f"{path}.{name}", each)

    def _note_pieces(self, path: str, pieces: list[Tensor]) -> None:
        if sum(each.nbytes for each in pieces) <= self._most_bytes:
            self._note(path, _bytes_of(pieces))

    def _note(self, path: str, value: object) -> None:
        name, number = path, 2
        while name in self._found:  # for example in two functions that one function has made
            name, number = f"{path} ({number})", number + 1
        self._found[name] = value

    def _note_itself(self, path: str, value: Any) -> None:  # noqa: ANN401 - as above
        """Note how far an iterator is, and which function or class is held under another name than its own."""
        if is_iterator(value):
            self._note(path, position_of(value))
        elif isinstance(value, (FunctionType, type)):
            name = path.rpartition(".")[2]
            if name == value.__name__ or name.startswith("__"):
                return
            code = getattr(value, "__code__", None)
            self._note(path, f"{value.__qualname__}, line {getattr(code, 'co_firstlineno', None)}")

    def _parts_of(self, path: str, value: Any, is_saved: bool) -> Parts:  # noqa: ANN401, FBT001 - as above
        if isinstance(value, nn.Module):
            return self._of_module(path, value, is_saved=is_saved)
        if is_saved and saves_its_own_way(value) is not self._with_own_ways:
            return iter(())
        if isinstance(value, FunctionType):
            return self._of_function(value)
        return parts_of(path, value)

    def _of_module(self, path: str, module: nn.Module, *, is_saved: bool) -> Parts:
        for name, child in module._modules.items():  # noqa: SLF001 - `children` yields each once
            if child is not None:
                self._waiting.append(_Reached(f"{path}.{name}", child, is_saved))
        if is_saved and saves_more(type(module)) is not self._with_own_ways:
            return
        left_out = module._non_persistent_buffers_set  # noqa: SLF001 - there is no public name
        for name, tensor in {**module._parameters, **module._buffers}.items():  # noqa: SLF001 - as above
            hooks = (getattr(tensor, each, None) for each in HOOKS_OF_TENSORS)
            yield from ((f"{path}.{name}", held) for held in hooks if held)
            if not is_saved or name in left_out:
                yield f"{path}.{name}", tensor
            elif tensor is not None:
                self._add_attributes(f"{path}.{name}", tensor)
        is_own = not is_of_package(type(module))
        yield from of_object(path, module) if is_own else of_layer(path, module)

    def _of_function(self, function: FunctionType) -> Parts:
        """Yield the closure of a function, its defaults and attributes, and the globals that its code names."""
        code = function.__code__
        is_own = not is_installed(code.co_filename)
        path = f"{function.__module__}.{function.__qualname__}".replace(".<locals>", "")
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                held = cell.cell_contents
            except ValueError:  # it is still empty
                continue
            if (is_own or isinstance(held, FUNCTIONS)) and self._is_new(id(cell), cell):
                yield f"{path}.{name}", held
        if not is_own:
            return
        names = code.co_varnames
        defaults = function.__defaults__ or ()
        last = code.co_argcount
        yield from zip(
            (f"{path}.{name}" for name in names[last - len(defaults) : last]), defaults, strict=True
        )
        yield from (
            (f"{path}.{name}", held) for name, held in (function.__kwdefaults__ or {}).items()
        )
        yield from ((f"{path}.{name}", held) for name, held in vars(function).items())
        yield from self._globals_in(function.__globals__, [*names_in(code)])

    def _globals_in(self, names_of_module: dict[str, Any], names: list[str]) -> Parts:
        for name in names:
            if name not in names_of_module or not self._is_new((id(names_of_module), name), None):
                continue
            held = names_of_module[name]
            if not isinstance(held, ModuleType):
                yield f"{names_of_module.get('__name__')}.{name}", held
            elif not is_installed(getattr(held, "__file__", None) or "<built-in>"):
                yield from self._globals_in(vars(held), names)


def _memory_of(module: object) -> Iterator[int]:
    """Yield where the tensors are that PyTorch saves of a module."""
    for each in module.modules() if isinstance(module, nn.Module) else ():
        left_out = each._non_persistent_buffers_set  # noqa: SLF001 - there is no public name
        for name, tensor in chain(each._parameters.items(), each._buffers.items()):  # noqa: SLF001
            if tensor is not None and name not in left_out:
                yield _memory(tensor)


def _memory(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr() or id(tensor)
    except (RuntimeError, ValueError):  # it has none of its own, for example because it is sparse
        return id(tensor)


def _shown(value: Any) -> object:  # noqa: ANN401 - one of `PLAIN`
    """Return what of a value can be kept and compared."""
    if isinstance(value, SHARED):
        return getattr(value, "value", None)
    if isinstance(value, BYTES):
        return bytes(value) if len(value) <= MOST_BYTES else None
    if isinstance(value, IN_MEMORY):
        return _content_of(value)
    return value.n_children_spawned if isinstance(value, np.random.SeedSequence) else value


def _content_of(file: BytesIO | StringIO) -> object:
    """Return the size of a file in memory and, unless it is large, its content.

    Its position does not count: it is set before each read where samples come from such a file.
    """
    if file.closed:
        return None
    position = file.tell()
    size = file.seek(0, SEEK_END)
    file.seek(position)
    return size, file.getvalue() if size <= MOST_BYTES else None


def _dense_pieces(tensor: Tensor) -> list[Tensor]:
    """Return the dense tensors that a tensor consists of, and nothing for one that does not tell them."""
    tensor = tensor.detach()
    match tensor.layout:
        case torch.strided:
            return [] if tensor.is_nested else [tensor]
        case torch.sparse_coo:
            return [tensor._indices(), tensor._values()]  # noqa: SLF001 - the public ones want it coalesced
        case torch.sparse_csr | torch.sparse_bsr:
            return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
        case torch.sparse_csc | torch.sparse_bsc:
            return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
        case _:
            return []


def _bytes_of(pieces: list[Tensor]) -> bytes | None:
    """Return the bytes of dense tensors; None without any, or for those that have no memory."""
    try:
        flat = (each.cpu().contiguous().reshape(-1) for each in pieces)
        # NumPy lacks types such as bfloat16.
        return b"".join(each.view(torch.uint8).numpy().tobytes() for each in flat) or None
    except (RuntimeError, TypeError):
        return None
