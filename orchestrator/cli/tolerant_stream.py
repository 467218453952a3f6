"""A stream whose reader may go away: the work goes on without one."""

from __future__ import annotations

import contextlib
import os
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class TolerantStream:
    """Writes like the stream it is made from, until that fails: a closed terminal, a full disk.

    From then on everything goes to the null device, also what others write to this descriptor.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or let it be."""
        with self._dispensable():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or let it be."""
        with self._dispensable():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # whatever the stream has
        """Be the stream in everything else."""
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _dispensable(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
