"""Uncalled: callbacks where the trainer does not look for them, and a curriculum that has none."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

from torch import nn

from trainer.callbacks.events import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CURRICULUM: Final = "curriculum"


def describe_uncalled(modules: Mapping[str, object]) -> str:
    """Return a note on what has no effect, because nothing calls it; an empty string if there is nothing.

    Args:
        modules: The modules by their roles.
    """
    events = {name for module in modules.values() for name in _events_of(module)}
    for role, module in modules.items():
        for where, part in _parts_of(module, role):
            # A module with the same callback may call that of its part.
            if uncalled := [event for event in _events_of(part) if event not in events]:
                return (
                    f"{where} ({type(part).__name__}) has {uncalled[0]}, which is not called: only modules"
                    f" have callbacks, not their parts. Let the {role} have it, and call that of its part; or ignore"
                    " this if it need not be called."
                )
    curriculum = modules.get(CURRICULUM)
    if curriculum is None or events or _gets_modules(curriculum, modules):
        return ""
    return (
        f"{CURRICULUM}: {type(curriculum).__name__} has no callbacks, so it has no effect. Name one that has,"
        " such as trainer.curriculum.paced.PacedCurriculum. Ignore this if its constructor does all."
    )


def _events_of(module: object) -> list[str]:
    """Return the events for which the class of an object has callbacks."""
    return [event for event in PARAMETERS if hasattr(type(module), event)]


def _parts_of(module: object, role: str) -> Iterator[tuple[str, object]]:
    """Yield the modules inside a model, and the objects that are attributes of any other module."""
    if isinstance(module, nn.Module):
        yield from ((f"{role}.{name}", each) for name, each in module.named_modules() if name)
    for name, each in vars(module).items() if hasattr(module, "__dict__") else ():
        yield f"{role}.{name}", each


def _gets_modules(curriculum: object, modules: Mapping[str, object]) -> bool:
    """Return whether a constructor takes another module, which it may change."""
    try:
        parameters = inspect.signature(type(curriculum)).parameters
    except ValueError:  # some built-in classes have none
        return False
    return not parameters.keys().isdisjoint(modules)
