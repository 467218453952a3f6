"""Pickled states: a state as `torch.save` writes it, apart from the memory of its tensors.

`torch.save` describes each tensor in Python each time, and asks a Python function about each value.
Here a pickle is made in C, from descriptions of tensors that are made once.
"""

from __future__ import annotations

import _codecs
import copyreg
import io
import pickle
from collections import Counter, OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.storage import TypedStorage
from torch.utils.serialization import config

from trainer.durable_files import DIRECT, PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    # How an object is recreated: a function, and its arguments.
    Recipe = tuple[Callable[..., object], tuple[Any, ...]]
    Name = tuple[str, type, str, str, int]

PROTOCOL = 2  # of pickle; the one that `torch.load` reads without executing code
# What PyTorch loads without executing code, besides tensors.
ATOMS = {
    *(type(None), bool, int, float, str, bytes),
    *(torch.Size, torch.dtype, torch.device, torch.layout),
}
CONTAINERS = {dict, OrderedDict, Counter, list, tuple, set}
_make_layout = copyreg.dispatch_table[torch.layout](torch.strided)[0]
# The classes and functions that the pickles of these name.
MAKERS = {
    *(_codecs.encode, bytes, set, OrderedDict, Counter),
    *(torch.Size, torch.device, _make_layout),
}


# The classes of memory that PyTorch's files name.
KINDS: dict[torch.dtype, type] = {
    torch.float64: torch.DoubleStorage,
    torch.float32: torch.FloatStorage,
    torch.float16: torch.HalfStorage,
    torch.bfloat16: torch.BFloat16Storage,
    torch.int64: torch.LongStorage,
    torch.int32: torch.IntStorage,
    torch.int16: torch.ShortStorage,
    torch.int8: torch.CharStorage,
    torch.uint8: torch.ByteStorage,
    torch.bool: torch.BoolStorage,
    torch.complex128: torch.ComplexDoubleStorage,
    torch.complex64: torch.ComplexFloatStorage,
    torch.qint32: torch.QInt32Storage,
    torch.qint8: torch.QInt8Storage,
    torch.quint8: torch.QUInt8Storage,
    torch.quint4x2: torch.QUInt4x2Storage,
    torch.quint2x4: torch.QUInt2x4Storage,
}


class Memory:
    """A piece of memory on the CPU, in which the copies of tensors of one dtype are.

    Args:
        piece: The whole of it, as a tensor.
        number: Its number in the file.
        origin: The device of the tensors, in the words of PyTorch's files.
    """

    def __init__(self, piece: Tensor, number: int, origin: str) -> None:
        self.piece = piece
        self.storage: TypedStorage | torch.UntypedStorage = _recipe_of(piece)[1][0]
        kind: type = torch.UntypedStorage  # of dtypes that are younger than the other classes
        length = piece.nbytes
        if isinstance(self.storage, TypedStorage):
            kind, length = KINDS[piece.dtype], piece.numel()
        self.name: Name = ("storage", kind, str(number), origin, length)

    def recipe_of(self, copy: Tensor) -> Recipe:
        """Return how a tensor in this memory is recreated, without hooks."""
        function, (_, start, shape, stride, has_gradient, _, *dtype) = _recipe_of(copy)
        return function, (self, start, shape, stride, has_gradient, None, *dtype)


def _recipe_of(tensor: Tensor) -> Recipe:
    recipe: Recipe = tensor.__reduce_ex__(PROTOCOL)  # type: ignore[no-untyped-call]
    return recipe


class Unsavable(Exception):  # noqa: N818 - it never leaves this package
    """A description of a value that cannot be loaded without executing code."""


def pickle_of(state: object, place: Callable[[Tensor], Recipe]) -> bytes:
    """Return the pickle of a state.

    Args:
        state: The state, in tensors and plain values.
        place: Returns how the copy of a tensor is recreated; called once per tensor.

    Raises:
        Unsavable: If a value could not be loaded without executing code.
    """
    file = io.BytesIO()
    _StatePickler(file, place).dump(state)
    return file.getvalue()


class _StatePickler(pickle.Pickler):
    def __init__(self, file: IO[bytes], place: Callable[[Tensor], Recipe]) -> None:
        super().__init__(file, PROTOCOL)
        self._place = place
        self._of_tensors: set[object] = set()

    def persistent_id(self, value: object) -> Name | None:
        """Return the name of memory; nothing else has one."""
        return value.name if type(value) is Memory else None

    def reducer_override(self, value: Any) -> Any:  # noqa: ANN401 - what pickle takes
        """Return how a tensor is recreated; let pickle continue with other savable values."""
        if isinstance(value, Tensor):
            check_tensor(value)
            is_strided = value.layout is torch.strided
            recipe = self._place(value) if is_strided else _recipe_of(value.detach())
            self._of_tensors.add(recipe[0])
            return recipe
        if type(value) in ATOMS or type(value) in CONTAINERS or self._is_maker(value):
            return NotImplemented
        raise Unsavable(_type_name(value))

    def _is_maker(self, value: Any) -> bool:  # noqa: ANN401 - as above
        """Return whether the pickle of something else names this class or function."""
        if isinstance(value, type) and issubclass(value, (TypedStorage, torch.UntypedStorage)):
            return True
        is_named = isinstance(value, (type, FunctionType, BuiltinFunctionType))
        return is_named and (value in MAKERS or value in self._of_tensors)


def check_tensor(tensor: Tensor) -> None:
    """Check that a tensor has plain memory of its own.

    Raises:
        Unsavable: If it does not.
    """
    if tensor.is_nested or tensor.is_quantized:
        raise Unsavable("nested tensor" if tensor.is_nested else "quantized tensor")
    if tensor.is_meta:
        raise Unsavable("tensor without values, on the device meta")
    if type(tensor).__torch_dispatch__ is not Tensor.__torch_dispatch__:
        raise Unsavable(_type_name(tensor))


def place_of_unsavable(value: object) -> tuple[str, str]:
    """Return where the first value in a state is that cannot be saved, and its description."""
    return next(_unsavable_in(value, "", set()), (" somewhere", "value that cannot be saved"))


def _unsavable_in(value: Any, place: str, seen: set[int]) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - as above
    if isinstance(value, Tensor):
        try:
            check_tensor(value)
        except Unsavable as unsavable:
            yield place, str(unsavable)
    elif type(value) not in ATOMS and type(value) not in CONTAINERS:
        yield place, _type_name(value)
    elif type(value) in CONTAINERS and id(value) not in seen:
        seen.add(id(value))
        items: list[tuple[object, object]] = [*enumerate(value)]
        if isinstance(value, dict):
            pairs = [*value.items(), *getattr(value, "__dict__", {}).items()]
            items = [(key, each) for key, item in pairs for each in (key, item)]
        for key, each in items:
            yield from _unsavable_in(each, f"{place}[{key!r}]", seen)


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


@dataclass(frozen=True, slots=True)
class Pickled:
    """A pickle, and the pieces of memory that it names, in the order of their numbers."""

    content: bytes
    memories: Sequence[Memory]

    def save(self, file: IO[bytes]) -> None:
        """Write a file for `torch.load`; where memory is large, it begins with a page of the file.

        Raises:
            OSError: If the file cannot be written.
        """
        try:
            with _aligned(max((memory.piece.nbytes for memory in self.memories), default=0)):
                torch.save(self, file, pickle_module=_InPlaceOfPickle)
        except RuntimeError as error:
            # PyTorch ends the file also after an error, and then raises that its length is wrong.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def _aligned(largest: int) -> AbstractContextManager[object]:
    """Let PyTorch begin each piece of memory with a page of the file, if the largest is written directly.

    Only what this thread saves meanwhile is affected.
    """
    if largest < DIRECT:
        return nullcontext()
    patch: AbstractContextManager[object] = config.patch({"save.storage_alignment": PAGE})  # type: ignore[attr-defined]  # the module gets it when it is imported
    return patch


class _InPlaceOfPickle:
    """Takes the place of the module `pickle` in `torch.save`, for a state that is pickled already."""

    class Pickler:
        """A base class for PyTorch's pickler, whose `persistent_id` has memory written."""

        def __init__(self, file: IO[bytes], protocol: int) -> None:
            self._file = file
            self.protocol = protocol

        def persistent_id(self, value: object) -> Name:
            """Have a piece of memory written, and return its name."""
            raise NotImplementedError

        def dump(self, state: Pickled) -> None:
            """Write the pickle, in which PyTorch must find the names that it gives to memory now."""
            for memory in state.memories:
                name = self.persistent_id(memory.storage)
                if (*name[:3], name[4]) != (*memory.name[:3], memory.name[4]):
                    raise RuntimeError(f"PyTorch calls {memory.name} {name}.")
            self._file.write(state.content)
