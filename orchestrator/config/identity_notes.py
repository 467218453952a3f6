"""Notes on run IDs: which values of a config do not count, and which count but name a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.grid.config_diff import leaves
from orchestrator.grid.config_values import is_under

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.grid.config_template import Path
    from orchestrator.grid.config_values import Value

_SHOWN: Final = 5


class IdentityNotes:
    """Collects the keys of a grid's configs on which there is something to say.

    ``folder`` is the working folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._own: dict[str, None] = {}
        self._places: dict[str, None] = {}

    def look_at(
        self, config: Mapping[str, Value], own: Iterable[Path], exclude: Sequence[str]
    ) -> None:
        """Note the keys of one config.

        Args:
            config: The resolved config of a point.
            own: The paths of what each run has for itself.
            exclude: The keys that are not part of the run ID.
        """
        counted = leaves(config, exclude)
        for path in own:
            key = ".".join(map(str, path))
            if is_under(key, counted):
                self._own[key] = None
        for key, value in counted.items():
            if isinstance(value, str) and f"{value}/".startswith(f"{self._folder}/"):
                self._places[key] = None

    def say(self) -> tuple[str, ...]:
        """Return the notes, one line each."""
        found = []
        if self._own:
            verb = "differs" if len(self._own) == 1 else "differ"
            found.append(
                f"{_name(self._own)} {verb} from run to run, and that part does not count for the run ID"
            )
        if self._places:
            verb = "names" if len(self._places) == 1 else "name"
            some = ",".join([*self._places][:_SHOWN]) + (
                ",..." if len(self._places) > _SHOWN else ""
            )
            found.append(
                f"{_name(self._places)} {verb} the working folder: elsewhere the run IDs are others, unless"
                f" orch.identity.exclude=[{some}]"
            )
        return tuple(found)


def _name(keys: Iterable[str]) -> str:
    named = list(keys)
    rest = len(named) - _SHOWN
    return ", ".join(named[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
