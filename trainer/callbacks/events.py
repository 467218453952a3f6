"""The events of a training: their callbacks, the parameters of these, and the modules that define them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from functools import cached_property
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from trainer.callbacks.signatures import Way, never_runs, way_to_call
from trainer.callbacks.suggestions import looks_like_an_event, nearest_event
from trainer.errors import CallbackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")  # the type of the trainer, which the callbacks get

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "cb_on_train_begin": ("trainer",),
    "cb_on_train_end": ("trainer", "test_results"),
    "cb_on_iteration_begin": ("trainer", "iteration"),
    "cb_on_iteration_end": ("trainer", "iteration", "metrics"),
    "cb_on_evaluation_begin": ("trainer", "iteration"),
    "cb_on_evaluation_end": ("trainer", "iteration", "metrics"),
    "cb_on_loader_exhausted": ("trainer", "iteration"),
    "cb_on_step_begin": ("trainer", "iteration", "batch_idx"),
    "cb_on_step_end": ("trainer", "iteration", "batch_idx", "loss"),
    "cb_on_update": ("trainer", "batches"),
}
PROPERTIES = (property, cached_property)


@dataclass(frozen=True, slots=True)
class Callbacks(Generic[T]):
    """The callbacks of each event, in the order in which they are called.

    The loop iterates over these tuples, so an event without callbacks costs nothing.
    """

    cb_on_train_begin: tuple[Callable[[T], None], ...]
    cb_on_train_end: tuple[Callable[[T, dict[str, float]], None], ...]
    cb_on_iteration_begin: tuple[Callable[[T, int], None], ...]
    cb_on_iteration_end: tuple[Callable[[T, int, dict[str, float]], None], ...]
    cb_on_evaluation_begin: tuple[Callable[[T, int], None], ...]
    cb_on_evaluation_end: tuple[Callable[[T, int, dict[str, float]], None], ...]
    cb_on_loader_exhausted: tuple[Callable[[T, int], None], ...]
    cb_on_step_begin: tuple[Callable[[T, int, int], None], ...]
    cb_on_step_end: tuple[Callable[[T, int, int, float], None], ...]
    cb_on_update: tuple[Callable[[T, list[Any]], Any], ...] = ()

    @property
    def may_add_metrics(self) -> bool:
        """Whether there are callbacks that could add metrics to those of an iteration."""
        return bool(self.cb_on_iteration_end or self.cb_on_evaluation_end)

    @property
    def may_change_modules(self) -> bool:
        """Whether there are callbacks that could change modules during the training."""
        return self.may_change_data or self.may_add_metrics or bool(self.cb_on_evaluation_begin)

    @property
    def may_change_data(self) -> bool:
        """Whether there are callbacks that could change the samples during the training."""
        watched = (
            self.cb_on_iteration_begin,
            self.cb_on_iteration_end,
            self.cb_on_loader_exhausted,
            self.cb_on_step_begin,
            self.cb_on_step_end,
        )
        return any(watched)


def collect_callbacks(modules: Mapping[str, object]) -> Callbacks[Any]:
    """Collect and check every module's callbacks, in the order of the modules.

    Args:
        modules: The modules by their role. An object with two roles counts once, with the first.

    Raises:
        CallbackError: If an attribute begins with `cb_`, or was probably meant to, but is not a
            callback, or if a callback does not take the parameters of its event.
    """
    listeners: dict[str, list[Callable[..., None]]] = {event: [] for event in PARAMETERS}
    seen: set[int] = set()
    for role, module in modules.items():
        if id(module) in seen:
            continue
        seen.add(id(module))
        for name in dir(module):
            if name in PARAMETERS:
                listeners[name] += _listeners(module, name, role)
            elif _is_meant_as_callback(module, name):
                raise _unknown(module, name, role)
    return Callbacks(**{event.name: tuple(listeners[event.name]) for event in fields(Callbacks)})


def _is_meant_as_callback(module: object, name: str) -> bool:
    """Return whether an attribute is probably a misspelled callback.

    An `on_train_end` of another framework is not, unless it takes exactly the parameters of the
    event.
    """
    if name.startswith("_"):
        return False
    if (event := f"cb_{name}") in PARAMETERS:
        return event in _fitting_events(module, name)
    return name.startswith("cb_") or looks_like_an_event(name)


def _unknown(module: object, name: str, role: str) -> CallbackError:
    """Return an error that names the callback that was probably meant."""
    nearest, is_near = nearest_event(name, _fitting_events(module, name))
    hint = (
        "" if is_near else " If it is not a callback, give it a name that does not begin with cb_."
    )
    return CallbackError(f"{role}: there is no callback {name!r}. Did you mean {nearest!r}?{hint}")


def _fitting_events(module: object, name: str) -> list[str]:
    """Return the events whose parameters a method takes."""
    if isinstance(inspect.getattr_static(module, name, None), PROPERTIES):
        return []
    method = getattr(module, name, None)
    return [
        event
        for event, parameters in PARAMETERS.items()
        if callable(method) and way_to_call(method, parameters) is not None
    ]


def _listeners(module: object, event: str, role: str) -> list[Callable[..., None]]:
    """Return the functions to call, by position, with the values of an event's parameters."""
    names = PARAMETERS[event]
    declared = inspect.getattr_static(module, event, None)
    if isinstance(declared, MemberDescriptorType) and not hasattr(module, event):
        return []  # an unset member of `__slots__`
    fault = "has the wrong parameters"
    if isinstance(declared, PROPERTIES):
        fault = "is a property"
    elif not callable(callback := getattr(module, event, None)):
        fault = f"is a {type(callback).__name__}, not a method"
    elif never_runs(callback):
        fault = "is async or a generator, which is never executed"
    else:
        match way_to_call(callback, names):
            case Way.BY_POSITION:
                return [callback]
            case Way.BY_NAME:
                return [lambda *values: callback(**dict(zip(names, values, strict=True)))]
    right = f"def {event}(self, {', '.join(names)})"
    plainly = ", without @staticmethod" if isinstance(declared, staticmethod) else ""
    where = f"{role} ({type(module).__name__})"
    raise CallbackError(f"{where}: {event} {fault}. Write it as `{right}`{plainly}.")
