"""Requests to stop: the signals of the user and the terminal, as a descriptor to wait for."""

from __future__ import annotations

import signal
import socket
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

_ASKING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopLevel(IntEnum):
    """How urgently the user asked to stop."""

    NOT_ASKED = 0
    AT_CHECKPOINT = 1  # nothing starts, and runs end at their next checkpoint
    AT_ONCE = 2  # runs are killed


class StopRequests:
    """Counts the requests to stop while it is entered; its signal handler does nothing else.

    A signal that was ignored when this process started stays ignored: ``nohup`` and shells that
    start a process in the background rely on that. The descriptor of ``fileno`` becomes readable
    with every request.
    """

    def __init__(self) -> None:
        self.level = StopLevel.NOT_ASKED
        self._wakeup, self._signalled = socket.socketpair()
        for end in (self._wakeup, self._signalled):
            end.setblocking(False)

    @property
    def asked(self) -> bool:
        """Whether the user asked to stop, at either level."""
        return self.level is not StopLevel.NOT_ASKED

    def __enter__(self) -> Self:
        """Install the signal handlers."""
        heeded = [number for number in _ASKING if signal.getsignal(number) != signal.SIG_IGN]
        self._previous = {number: signal.signal(number, self._raise) for number in heeded}
        self._previous_wakeup = signal.set_wakeup_fd(
            self._signalled.fileno(), warn_on_full_buffer=False
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore the previous signal handlers."""
        signal.set_wakeup_fd(self._previous_wakeup)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._wakeup.close()
        self._signalled.close()

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._wakeup.fileno()

    def drain(self) -> None:
        """Make the descriptor unreadable again; the level stays."""
        try:
            while self._wakeup.recv(4096):
                pass
        except BlockingIOError:
            return

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        self.level = StopLevel(min(self.level + 1, StopLevel.AT_ONCE))
