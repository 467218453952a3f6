"""Requests to stop: by signals of the user and the terminal, by ``orch stop``, and by the clock."""

from __future__ import annotations

import contextlib
import signal
import socket
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

_ASKING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopLevel(IntEnum):
    """How urgently the user asked to stop."""

    NOT_ASKED = 0
    DRAIN = 1  # nothing starts, and runs end by themselves
    AT_CHECKPOINT = 2  # runs are asked to stop, and end at their next checkpoint
    AT_ONCE = 3  # runs are killed

    @property
    def word(self) -> str:
        """The word for it in a stop file."""
        return self.name.lower()


class StopRequests:
    """Counts the requests to stop while it is entered; its signal handler does nothing else.

    A signal that was ignored when this process started stays ignored: ``nohup`` and shells that
    start a process in the background rely on that. The descriptor of ``fileno`` becomes readable
    with every signal.

    Args:
        first: What the first signal asks for; each further one asks more urgently.
        news: Returns the word of a level that another process asked for since the last time; an
            empty string if none did.
    """

    def __init__(
        self,
        first: StopLevel = StopLevel.AT_CHECKPOINT,
        news: Callable[[], str] = str,
    ) -> None:
        # Apart, since a signal may arrive at any moment: neither lowers the other.
        self._by_signals = self._by_others = self._by_clock = StopLevel.NOT_ASKED
        self._is_terminated = False
        self.last_signal = 0
        self._first = first
        self._news = news
        self._wakeup, self._signalled = socket.socketpair()
        for end in (self._wakeup, self._signalled):
            end.setblocking(False)

    @property
    def level(self) -> StopLevel:
        """How urgently the user has asked so far."""
        return max(self._by_signals, self._by_others, self._by_clock)

    @property
    def by_signals(self) -> StopLevel:
        """How urgently the user has asked by signals."""
        return self._by_signals

    @property
    def asked(self) -> bool:
        """Whether the user asked to stop, at any level."""
        return self.level is not StopLevel.NOT_ASKED

    @property
    def interrupts(self) -> bool:
        """Whether the user asked for more than to let the runs end by themselves."""
        return self.level > StopLevel.DRAIN

    @property
    def is_terminated(self) -> bool:
        """Whether only SIGTERM has asked to stop."""
        return self._is_terminated and self.level < StopLevel.AT_ONCE

    @property
    def is_out_of_time(self) -> bool:
        """Whether only the clock has asked to stop."""
        return self._by_clock > max(self._by_signals, self._by_others, StopLevel.NOT_ASKED)

    def __enter__(self) -> Self:
        """Install the signal handlers."""
        heeded = [number for number in _ASKING if signal.getsignal(number) != signal.SIG_IGN]
        self._previous = {number: signal.signal(number, self._raise) for number in heeded}
        # The parent process may have blocked them; a blocked Ctrl-C would stop nothing.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, heeded)
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

    def look(self) -> None:
        """Take note of what other processes asked for, and make the descriptor unreadable again.

        Has to be called several times per second.
        """
        with contextlib.suppress(BlockingIOError):
            while self._wakeup.recv(4096):
                pass
        word = self._news()
        for level in StopLevel:
            if level.word == word:
                self._by_others = max(self._by_others, level)

    def run_out(self, level: StopLevel) -> None:
        """Take note of what the time that is left asks for."""
        self._by_clock = max(self._by_clock, level)

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        self._is_terminated, self.last_signal = number == signal.SIGTERM, number
        # A cluster sends a signal when time runs out: it says the same as the clock, nothing worse.
        before = max(self._by_signals, self._by_others)
        # A terminal that is closed may send SIGHUP twice, once by its shell: nobody has asked again.
        most = StopLevel.AT_CHECKPOINT if number == signal.SIGHUP else StopLevel.AT_ONCE
        asked = StopLevel(min(max(before + 1, self._first), most))
        self._by_signals = max(self._by_signals, asked)
