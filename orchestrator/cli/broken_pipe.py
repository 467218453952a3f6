"""A stream that tolerates the loss of its reader, so that the program goes on without one."""

from __future__ import annotations

import contextlib
import os
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class TolerantStream:
    """Writes to the wrapped stream until that fails: the terminal was closed, or the disk is full.

    From then on everything goes to the null device, including other writes to the descriptor.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a string; errors are ignored."""
        with self._dispensable():
            self._stream.write(text)
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
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
