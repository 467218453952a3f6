"""PyTorch's arguments: values that its optimizers, schedulers and losses accept, and that cannot be meant.

PyTorch checks few of them. The others are accepted in silence, have no effect, or fail hours later.
"""

from __future__ import annotations

import inspect
import re
from contextlib import suppress
from importlib import import_module
from math import inf, isfinite
from typing import TYPE_CHECKING, Final

from trainer.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOMES: Final = ("torch.optim", "torch.nn.modules.loss", "torch.nn.functional")
# The limits, which hold wherever a parameter has the name; PyTorch checks the others.
LIMITS: Final = {
    "label_smoothing": (0, 1),
    "dampening": (0, 1),
    **dict.fromkeys(("momentum", "base_momentum", "max_momentum"), (0, 1)),
    "factor": (0, 1),
    "step_size": (1, inf),
    **dict.fromkeys(("max_iter", "ns_steps"), (1, inf)),
    **dict.fromkeys(("total_iters", "T_max", "step_size_up", "step_size_down"), (0, inf)),
    **dict.fromkeys(("gamma", "power", "eta_min", "swa_lr", "lambd"), (0, inf)),
    **dict.fromkeys(("div_factor", "final_div_factor", "patience", "cooldown"), (0, inf)),
    "milestones": (0, inf),
}
# Compared with the number of the iteration: a fraction is never reached.
REACHED: Final = ("step_size", "total_iters", "milestones")
# With no iterations, these keep the factor of the first one for ever.
NEVER_OVER: Final = ("ConstantLR", "LinearLR")
IN_TURN: Final = "SequentialLR"
LEGACY_SWITCHES: Final = ("size_average", "reduce")  # of losses; they have no annotations
NUMBERS: Final = ("int", "float")
OTHERS: Final = ("str", "Callable")
MANY: Final = ("list", "tuple", "Iterable", "Sequence")


def wrong_values(settings: object, key: str, parent: str = "") -> Iterator[str]:
    """Yield what is wrong with the arguments of PyTorch's classes and functions, a line each.

    Args:
        settings: A group, or a part of it; nested targets are looked at, too.
        key: Its key.
        parent: The name of the class whose argument it is.
    """
    if isinstance(settings, list):
        for place, each in enumerate(settings):
            yield from wrong_values(each, f"{key}[{place}]", parent)
    if not isinstance(settings, dict):
        return
    name, annotations = _look_up(settings.get("_target_"))
    for each, value in settings.items():
        where = f"{key}.{each}"
        is_target = isinstance(value, dict) and "_target_" in value
        wrong = "" if is_target else _wrong(each, value, annotations.get(each, ""))
        if wrong:
            yield f"{where}: {wrong}. Correct it."
        else:
            yield from wrong_values(value, where, name)
    yield from _wrong_together(settings, key, name, parent)


def _wrong_together(
    settings: Mapping[str, object], key: str, name: str, parent: str
) -> Iterator[str]:
    if name in NEVER_OVER and parent != IN_TURN and settings.get("total_iters") == 0:
        yield (
            f"{key}.total_iters: with 0, {name} never reaches the full rate: it keeps its first factor. Set 1"
            " or more, or name no scheduler."
        )
    milestones = settings.get("milestones")
    if name == IN_TURN and isinstance(milestones, list):
        numbers = [each for each in milestones if isinstance(each, (int, float))]
        if numbers != sorted(numbers):
            yield f"{key}.milestones: {shown(milestones)} does not increase. Sort it."


def _look_up(target: object) -> tuple[str, dict[str, str]]:
    """Return the name of an optimizer, schedule or loss of PyTorch, and the annotations of its parameters."""
    if not isinstance(target, str) or not target.startswith("torch."):
        return "", {}
    module, _, name = target.rpartition(".")
    with suppress(ImportError, ValueError):  # some built-in functions have no signature
        found = getattr(import_module(module), name, None)
        if callable(found) and str(getattr(found, "__module__", "")).startswith(HOMES):
            parameters = inspect.signature(found).parameters
            return name, {each: _annotation(one) for each, one in parameters.items()}
    return "", {}


def _annotation(parameter: inspect.Parameter) -> str:
    if parameter.name in LEGACY_SWITCHES:
        return "bool"
    found = parameter.annotation
    return found.__name__ if isinstance(found, type) else str(found)


def _wrong(name: str, value: object, annotation: str) -> str:
    """Return what is wrong with the value of a parameter, or nothing."""
    if annotation.startswith("bool"):
        is_switch = value is None or (isinstance(value, (int, float)) and value in (0, 1))
        return "" if is_switch else f"{shown(value)} is neither true nor false"
    words = {*re.findall(r"\w+", annotation)}
    if words.isdisjoint(NUMBERS) or not words.isdisjoint(OTHERS):
        return ""
    if value is None and "None" in words:
        return ""
    is_for_many = not words.isdisjoint(MANY)
    if isinstance(value, (list, tuple)) and (is_for_many or "float" in words):
        items = (each for each in value if each is not None or "None" not in words)
        return next(filter(None, (_wrong_number(name, each) for each in items)), "")
    if annotation.startswith(MANY) and " | " not in annotation:
        return f"{shown(value)} is not a list of numbers"
    return _wrong_number(name, value)


def _wrong_number(name: str, value: object) -> str:
    if not isinstance(value, (int, float)) or value is True:
        return f"{shown(value)} is not a number"
    if name in REACHED and isfinite(value) and value != int(value):
        return f"{value} is not a whole number, so no iteration reaches it"
    least, most = LIMITS.get(name, (-inf, inf))
    if value < least:
        return f"{value} is below {least}"
    return f"{value} is above {most}" if value > most else ""
