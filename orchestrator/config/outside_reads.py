"""Watched resolvers: what a value of a config reads besides the config itself.

While a value is resolved, each resolver that it calls leaves a note: the name of an environment
variable, or a mark for what differs from run to run or from moment to moment.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from omegaconf.basecontainer import BaseContainer

from orchestrator.config.hydra_resolver import STAND_INS
from orchestrator.config.resolver_stability import Stability

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARK: Final = "\0"  # no variable's name contains it
_ENVIRONMENT: Final = "oc.env"
_NOW: Final = "now"
_HYDRA: Final = "hydra"
_WATCHED: Final = (_ENVIRONMENT, _NOW, _HYDRA)
# Resolvers of OmegaConf's that return the same for the same config.
_OF_THE_CONFIG: Final = frozenset(
    [*("oc.create", "oc.decode", "oc.deprecated", "oc.select", "oc.dict.keys", "oc.dict.values")]
)
_STABILITY: Final = Stability()  # trying a resolver again would find the same
TIME: Final = f"{_MARK}{_NOW}"


def mark_of(key: str) -> str:
    """Return the mark for a value of Hydra's that each run has for itself."""
    return f"{_MARK}{_HYDRA}:{key}"


OWN: Final = frozenset(map(mark_of, STAND_INS))


def flaw_of(mark: str) -> tuple[str, str] | None:
    """Return a resolver of the user's, and why it is unstable; None for other marks."""
    _, name, *flaw = mark.split(_MARK)
    return (name, flaw[0]) if flaw else None


def variables_in(notes: Iterable[str]) -> tuple[str, ...]:
    """Return the environment variables among the notes."""
    return tuple(note for note in notes if not note.startswith(_MARK))


def marks_in(notes: Iterable[str]) -> tuple[str, ...]:
    """Return the marks among the notes, each once."""
    return tuple(dict.fromkeys(note for note in notes if note.startswith(_MARK)))


@contextmanager
def watch_resolvers() -> Iterator[list[str]]:
    """Record what interpolations read, within the block."""
    asked: list[str] = []
    resolvers = BaseContainer._resolvers
    # OmegaConf's and Hydra's resolvers, or those that the user's code registered instead.
    before: dict[str, Any] = {
        name: resolver for name, resolver in resolvers.items() if name not in _OF_THE_CONFIG
    }

    def watch(name: str) -> Any:  # noqa: ANN401 # a function as OmegaConf stores it
        def watched(config: Any, parent: Any, node: Any, args: Any, texts: Any) -> object:  # noqa: ANN401 # as OmegaConf calls it
            call = partial(before[name], config, parent, node, args, texts)
            if name in _WATCHED:
                asked.extend(_notes(name, str(args[0]) if args else ""))
            elif flaw := _STABILITY.find_flaw(name, call, config, args):
                asked.append(f"{_MARK}{name}{_MARK}{flaw}")
            return call()

        return watched

    resolvers.update({name: watch(name) for name in before})
    try:
        yield asked
    finally:
        resolvers.update(before)


def _notes(resolver: str, argument: str) -> list[str]:
    match resolver:
        case "now":
            return [TIME]
        case "hydra":
            return [mark_of(argument)] if argument in STAND_INS else []
        case _:
            return [argument]
