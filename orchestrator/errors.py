"""User errors: ``orch`` prints each as one message and exits with code 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_AROUND: Final = 60  # characters of a filter that are shown before and after the marked one


class OrchestratorError(Exception):
    """An error that the user can fix: the message says what is wrong, where, and what to do."""


class UsageError(OrchestratorError):
    """The command line is wrong, or asks for something that ``orch`` cannot do."""


class IncoherentLocksError(UsageError):
    """Locks do not reach from host to host, so a run could be started twice."""


class ConfigError(OrchestratorError):
    """The config cannot be read, composed or resolved."""


class GridError(OrchestratorError):
    """An axis of the grid cannot be expanded."""


class Marked:  # a named tuple would cost each command a millisecond
    """A filter, and the position in it that an error marks; ``source`` is where it was written."""

    __slots__ = ("place", "source", "text")

    def __init__(self, text: str, place: int, source: str = "filter") -> None:
        self.text = text
        self.place = place
        self.source = source


class FilterError(OrchestratorError):
    """A filter cannot be parsed, or orders values that have no order.

    ``quoted`` are the values of the config that the message quotes, by their keys, ``unknown`` keys that
    no run has. The message shows the filter with a caret under the marked character, and names the
    ``point``, if there is one.
    """

    def __init__(
        self,
        why: str,
        quoted: Mapping[str, str] | None = None,
        *,
        marked: Marked | None = None,
        point: str = "",
        unknown: Sequence[str] = (),
    ) -> None:
        super().__init__("\n    ".join(_lines(why, marked, point)))
        self.why = why
        self.quoted = quoted or {}
        self.marked = marked
        self.point = point
        self.unknown = tuple(unknown)

    def rewritten(self, change: Callable[[str], str]) -> FilterError:
        """Return the error with all its strings changed, and the mark at the same place."""
        marked = self.marked
        if marked is not None:
            text = change(marked.text)
            place = min(len(change(marked.text[: marked.place])), len(text))
            marked = Marked(text, place, marked.source)
        return FilterError(
            change(self.why),
            self.quoted,
            marked=marked,
            point=change(self.point),
            unknown=self.unknown,
        )

    def at(self, *, source: str = "", point: str = "") -> FilterError:
        """Return the error with the source of the filter, or the point of the grid."""
        marked = self.marked
        if source and marked is not None:
            marked = Marked(marked.text, marked.place, source)
        return FilterError(self.why, self.quoted, marked=marked, point=point or self.point)


def _lines(why: str, marked: Marked | None, point: str) -> Iterator[str]:
    if marked is None:
        yield why
    else:
        yield f"{marked.source}, character {marked.place + 1}: {why}."
        start = max(0, marked.place - _AROUND)
        yield marked.text[start : marked.place + _AROUND]
        yield f"{' ' * (marked.place - start)}^"
    if point:
        yield f"at the point {point}"


class IdentityError(OrchestratorError):
    """A config has a value without a stable form, so the run would have no stable ID."""


class RunDirectoryError(OrchestratorError):
    """A run directory, or a folder above it, is damaged or cannot be used."""


class PreloadError(OrchestratorError):
    """A module that every run needs cannot be imported; the message ends with the traceback."""
