"""Plain samples: data sets whose code can be seen to compute a sample from tensors and its index alone.

Such code draws nothing and changes nothing, so its samples are the same each time, and may be looked at
without leaving a trace. Everything that it can get hold of is a tensor, an array, a number or a string, or one
of a few functions without side effects. What is not known to be plain, is not.
"""

from __future__ import annotations

import dis
import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset, TensorDataset, default_collate

if TYPE_CHECKING:
    from collections.abc import Mapping

VALUES: Final = {int, float, bool, complex, str, bytes, type(None), Tensor, np.ndarray, np.memmap}
PARAMETERS: Final = 2  # of `__getitem__`
MORE_PARAMETERS: Final = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
# Instructions of Python that leave no trace. None stores anything but a local variable, and none jumps back.
HARMLESS: Final = {
    *("LOAD_CONST", "LOAD_SMALL_INT", "POP_TOP", "PUSH_NULL", "COPY", "SWAP"),
    *("BINARY_SUBSCR", "BINARY_SLICE", "BUILD_SLICE", "BUILD_TUPLE", "BUILD_LIST", "BUILD_MAP"),
    *("BUILD_CONST_KEY_MAP", "UNPACK_SEQUENCE", "COMPARE_OP", "IS_OP", "CONTAINS_OP"),
    *("UNARY_NEGATIVE", "UNARY_NOT", "UNARY_INVERT", "TO_BOOL", "RETURN_VALUE", "RETURN_CONST"),
    *("PRECALL", "CALL", "KW_NAMES", "CALL_KW", "JUMP_FORWARD"),
    *("POP_JUMP_IF_FALSE", "POP_JUMP_IF_TRUE", "POP_JUMP_IF_NONE", "POP_JUMP_IF_NOT_NONE"),
    *("POP_JUMP_FORWARD_IF_FALSE", "POP_JUMP_FORWARD_IF_TRUE"),
    *("POP_JUMP_FORWARD_IF_NONE", "POP_JUMP_FORWARD_IF_NOT_NONE"),
}
SILENT: Final = {"RESUME", "NOP", "CACHE", "EXTENDED_ARG", "NOT_TAKEN"}
LOADS: Final = {"LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK"}
ATTRIBUTES: Final = {"LOAD_ATTR", "LOAD_METHOD"}
FUNCTIONS: Final = {"int", "float", "bool", "complex", "len", "abs"}
# Attributes of tensors and arrays that change nothing, and of `torch`.
OF_ARRAYS: Final = {
    *(
        "float",
        "double",
        "half",
        "bfloat16",
        "long",
        "int",
        "short",
        "bool",
        "to",
        "type",
        "astype",
    ),
    *("view", "reshape", "permute", "transpose", "unsqueeze", "squeeze", "flatten", "contiguous"),
    *("clone", "copy", "item", "tolist", "numpy", "div", "mul", "shape", "dtype", "ndim", "T"),
}
OF_TORCH: Final = {
    *("tensor", "as_tensor", "from_numpy"),
    *(
        "float",
        "float32",
        "float64",
        "float16",
        "bfloat16",
        "long",
        "int64",
        "int32",
        "uint8",
        "bool",
    ),
}
LAST_IN_PLACE_FREE: Final = 12  # of the numbers of binary operators, which have not changed since


def are_plain(samples: object, collate: object, sampler: object) -> bool:
    """Return whether batches are known to be functions of tensors and indices.

    Args:
        samples: The data set.
        collate: Makes a batch of samples.
        sampler: The user's own sampler, if there is one.
    """
    return (
        sampler is None
        and collate is default_collate
        and _is_as_pytorch_has_it(default_collate)
        and _is_plain(samples)
    )


def _is_as_pytorch_has_it(collate: Any) -> bool:  # noqa: ANN401 - a function has no type with its globals
    """Return whether a program has added no function of its own to those that collate each kind of value."""
    known = collate.__globals__.get("default_collate_fn_map", {})
    return all(each.__module__ == collate.__module__ for each in known.values())


def _is_plain(samples: Any) -> bool:  # noqa: ANN401 - it may be anything
    kind = type(samples)
    if kind is TensorDataset:
        return all(type(each) is Tensor for each in samples.tensors)
    if kind is Subset:
        return _is_value(samples.indices) and _is_plain(samples.dataset)
    if kind is ConcatDataset:
        return all(map(_is_plain, samples.datasets))
    names = {name for each in kind.__mro__[:-1] for name in vars(each)}
    method = inspect.getattr_static(kind, "__getitem__", None)
    return (
        isinstance(method, FunctionType)
        and names.isdisjoint({"__getitems__", "__getattr__", "__getattribute__"})
        and "__getitems__" not in getattr(samples, "__dict__", {"__getitems__"})
        and _is_harmless(
            method, {name: each for name, each in vars(samples).items() if name not in names}
        )
    )


def _is_value(value: object) -> bool:
    """Return whether an attribute is a tensor, an array, a number or a string, or a list of these."""
    if type(value) in (list, tuple):
        return {*map(type, value)} <= VALUES  # type: ignore[call-overload]  # it can be iterated over
    return type(value) in VALUES and getattr(value, "dtype", None) != np.dtype("O")


def _is_harmless(method: FunctionType, attributes: Mapping[str, object]) -> bool:
    """Return whether all instructions of a method are harmless for an object with some attributes."""
    code = method.__code__
    is_simple = (code.co_argcount, code.co_kwonlyargcount) == (PARAMETERS, 0)
    names = method.__globals__
    if not is_simple or code.co_flags & MORE_PARAMETERS or "__builtins__" not in names:
        return False
    own = code.co_varnames[0]
    steps = [each for each in dis.get_instructions(code) if each.opname not in SILENT]
    for before, step, after in zip([None, *steps], steps, [*steps[1:], None], strict=False):
        kind, name = step.opname, step.argval
        has_owner = after is not None and after.opname in ATTRIBUTES and not after.is_jump_target
        if kind in ATTRIBUTES:
            owner = _owner(before, own)
            is_harmless = not step.is_jump_target and _may_be_loaded(name, owner, attributes)
        elif kind in LOADS:
            is_harmless = name != own or has_owner
        elif kind == "LOAD_GLOBAL" and name == "torch":
            is_harmless = names.get(name) is torch and has_owner
        elif kind == "LOAD_GLOBAL":
            is_harmless = name in FUNCTIONS and name not in names
        else:
            is_harmless = kind in HARMLESS or _is_harmless_with(kind, step.arg, name, own)
        if not is_harmless:
            return False
    return True


def _may_be_loaded(name: str, owner: str, attributes: Mapping[str, object]) -> bool:
    if owner == "self":
        return name in attributes and _is_value(attributes[name])
    return name in (OF_TORCH if owner == "torch" else OF_ARRAYS)


def _is_harmless_with(kind: str, number: int | None, name: object, own: str) -> bool:
    """Return whether an instruction is harmless because of its argument."""
    if kind == "BINARY_OP":
        return number is not None and number <= LAST_IN_PLACE_FREE
    return kind == "STORE_FAST" and name != own


def _owner(before: dis.Instruction | None, own: str) -> str:
    """Return whose attribute an instruction loads: what the one before it has loaded."""
    if before is not None and before.opname in LOADS and before.argval == own:
        return "self"
    is_torch = before is not None and (before.opname, before.argval) == ("LOAD_GLOBAL", "torch")
    return "torch" if is_torch else ""
