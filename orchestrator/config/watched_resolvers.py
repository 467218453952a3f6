"""Watched resolvers: what a value of a config reads besides the config itself.

While a value is resolved, each resolver that it calls leaves a note: the name of an environment
variable, or a mark for what differs from run to run or from moment to moment.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from omegaconf.basecontainer import BaseContainer

from orchestrator.config.hydra_resolver import STAND_INS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARK: Final = "\0"  # no variable's name contains it
_ENVIRONMENT: Final = "oc.env"
_NOW: Final = "now"
_HYDRA: Final = "hydra"
TIME: Final = f"{_MARK}{_NOW}"


def mark_of(key: str) -> str:
    """Return the mark for a value of Hydra's that each run has for itself."""
    return f"{_MARK}{_HYDRA}:{key}"


OWN: Final = frozenset(map(mark_of, STAND_INS))


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
        name: resolvers[name] for name in (_ENVIRONMENT, _NOW, _HYDRA) if name in resolvers
    }

    def watch(name: str) -> Any:  # noqa: ANN401 # a function as OmegaConf stores it
        def watched(config: Any, parent: Any, node: Any, args: Any, texts: Any) -> object:  # noqa: ANN401 # as OmegaConf calls it
            asked.extend(_notes(name, str(args[0]) if args else ""))
            return before[name](config, parent, node, args, texts)

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
