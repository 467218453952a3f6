"""What a called function tells of its end: the error that ended it, up to a NUL, and what it has imported."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from orchestrator.runner.new_imports import dump_new_imports, find_new_imports, parse_new_imports

if TYPE_CHECKING:
    import socket

    from orchestrator.runner.new_imports import NewImports

_LONGEST: Final = 20_000  # characters of an error
_PIECE: Final = 65536


class EndTeller:
    """Tells the end to the process that has asked for the call.

    Only from the process that was asked, not from one that this has forked; and only if the function has left
    the connection as it was: it may have closed all that it does not know.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pid, self._was = os.getpid(), os.fstat(connection.fileno())
        self._has_told = False

    def tell_error(self, error: str) -> None:
        """Send the error, before exit functions of the program end the process in their way."""
        told = error[-_LONGEST:].replace("\0", "").encode(errors="replace")
        self._has_told = self._send(told + b"\0")

    def tell_imports(self) -> None:
        """Send what was imported, after the error, if there was one."""
        if not self._send(
            (b"" if self._has_told else b"\0") + dump_new_imports(find_new_imports())
        ):
            self._connection.detach()  # it is not ours to close

    def _send(self, message: bytes) -> bool:
        with contextlib.suppress(OSError):
            now = os.fstat(self._connection.fileno())
            if os.getpid() == self._pid and os.path.samestat(now, self._was):
                self._connection.setblocking(False)  # nobody has to listen
                return self._connection.send(message) > 0
        return False


def hear_end(connection: socket.socket) -> tuple[str, NewImports]:
    """Return the error and the imports that a function has told which is over; nothing of what it did not tell."""
    told = b""
    connection.setblocking(False)
    with contextlib.suppress(OSError):
        while piece := connection.recv(_PIECE):
            told += piece
    error, _, imports = told.partition(b"\0")
    return error.decode(errors="replace"), parse_new_imports(imports)
