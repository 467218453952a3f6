"""Output whose reader has gone: a stream that goes on without one, and the rest of the output."""

from __future__ import annotations

import contextlib
import os
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


class TolerantStream:
    """Writes to the wrapped stream until that fails: the terminal was closed, or the disk is full.

    From then on everything goes to the null device, including other writes to the descriptor.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a string at once, so that nothing is left to fail at exit; errors are ignored."""
        with self._dispensable():
            self._stream.write(text)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Flush the stream; errors are ignored."""
        with self._dispensable():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # any attribute of the stream
        """Return the attribute of the wrapped stream."""
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _dispensable(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            discard(self._stream)


def tolerate_loss(console: Console) -> None:
    """Lose output rather than runs: a closed terminal or a closed pipe must not stop a grid."""
    console.file = cast("IO[str]", TolerantStream(console.file))


def discard(stream: IO[str]) -> None:
    """Send what is left of an output nowhere: writing it at exit would fail or block again."""
    descriptor = stream.fileno()
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:  # out of descriptors: there is room for one without this one
        os.close(descriptor)
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
