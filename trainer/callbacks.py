"""Owns the callbacks: which exist, what they take, and which modules define them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING

from trainer.errors import CallbackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trainer.trainer import ModularTaskTrainer

    TrainBegin = Callable[[ModularTaskTrainer], None]
    TrainEnd = Callable[[ModularTaskTrainer, dict[str, float]], None]
    IterationBegin = Callable[[ModularTaskTrainer, int], None]
    IterationEnd = Callable[[ModularTaskTrainer, int, dict[str, float]], None]
    LoaderExhausted = Callable[[ModularTaskTrainer, int], None]
    StepBegin = Callable[[ModularTaskTrainer, int, int], None]
    StepEnd = Callable[[ModularTaskTrainer, int, int, float], None]

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "cb_on_train_begin": ("trainer",),
    "cb_on_train_end": ("trainer", "test_results"),
    "cb_on_iteration_begin": ("trainer", "iteration"),
    "cb_on_iteration_end": ("trainer", "iteration", "metrics"),
    "cb_on_loader_exhausted": ("trainer", "iteration"),
    "cb_on_step_begin": ("trainer", "iteration", "batch_idx"),
    "cb_on_step_end": ("trainer", "iteration", "batch_idx", "loss"),
}


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Hold the listeners of each event, in the order in which they are called.

    The loop iterates over these tuples, so an event that nobody listens to costs nothing.
    """

    cb_on_train_begin: tuple[TrainBegin, ...]
    cb_on_train_end: tuple[TrainEnd, ...]
    cb_on_iteration_begin: tuple[IterationBegin, ...]
    cb_on_iteration_end: tuple[IterationEnd, ...]
    cb_on_loader_exhausted: tuple[LoaderExhausted, ...]
    cb_on_step_begin: tuple[StepBegin, ...]
    cb_on_step_end: tuple[StepEnd, ...]


def collect_callbacks(modules: Mapping[str, object]) -> Callbacks:
    """Collect and check every module's callbacks, in the order of the modules.

    Args:
        modules: The modules by their role. An object with two roles is asked once, as the first.

    Raises:
        CallbackError: If an attribute begins with `cb_` but is no callback, or if a callback
            cannot take the parameters of its event.
    """
    listeners: dict[str, list[Callable[..., None]]] = {event: [] for event in PARAMETERS}
    seen: set[int] = set()
    for role, module in modules.items():
        if id(module) in seen:
            continue
        seen.add(id(module))
        for event in (name for name in dir(module) if name.startswith("cb_")):
            listeners[_known(event, role)].append(_listener(module, event, role))
    return Callbacks(**{event.name: tuple(listeners[event.name]) for event in fields(Callbacks)})


def _known(event: str, role: str) -> str:
    """Return an event's name, if there is such an event."""
    if event not in PARAMETERS:
        nearest = get_close_matches(event, PARAMETERS, n=1, cutoff=0)[0]
        raise CallbackError(f"{role}: there is no callback {event!r}. Did you mean {nearest!r}?")
    return event


def _listener(module: object, event: str, role: str) -> Callable[..., None]:
    """Return what to call, by place, with the values of an event's parameters."""
    callback: Callable[..., None] = getattr(module, event)
    names = PARAMETERS[event]
    if callable(callback):
        signature = inspect.signature(callback)
        if _takes_by_place(signature, names):
            return callback
        if _takes_by_name(signature, names):
            return lambda *values: callback(**dict(zip(names, values, strict=True)))
    right = f"def {event}(self, {', '.join(names)})"
    where = f"{role} ({type(module).__name__})"
    raise CallbackError(f"{where}: {event} has the wrong parameters. Write it as `{right}`.")


def _takes_by_place(signature: inspect.Signature, names: tuple[str, ...]) -> bool:
    """Tell whether each name, given by place, meets the parameter that is called so.

    A leading underscore, the mark of what a callback does not use, is no difference.
    """
    try:
        bound = signature.bind(*names).arguments.items()
    except TypeError:
        return False
    met = ((parameter, name) for parameter, name in bound if isinstance(name, str))
    return all(parameter.strip("_") in ("", name) for parameter, name in met)


def _takes_by_name(signature: inspect.Signature, names: tuple[str, ...]) -> bool:
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError:
        return False
    return True
