"""The incoming signals of a runner or its keeper: each is taken with the process that sent it.

They stay blocked, and the kernel keeps them until they are taken: a request to stop is handled between
two steps of a loop, never in the middle of one.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.runner.attempt_program import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Container

_SIGSET: Final = 128  # bytes of a sigset_t


class SentSignal(NamedTuple):
    """A signal, and the process ID of its sender; 0 if the kernel sent it, or another PID namespace."""

    number: int
    sender: int


class IncomingSignals:
    """Takes the signals of ``SIGNALS`` that were sent to this process; the caller has blocked them."""

    def __init__(self) -> None:
        self._kept: list[SentSignal] = []
        self._descriptor = _open_signalfd()

    def fileno(self) -> int:
        """Return the descriptor that is readable while there are any to take."""
        return self._descriptor

    def take(self) -> list[SentSignal]:
        """Return those that have arrived, each once."""
        taken, self._kept = [*self._kept, *take_pending()], []
        return taken

    def drop(self, besides: Container[int]) -> None:
        """Drop those that have arrived, except the ones of some senders, which are taken next."""
        self._kept = [each for each in self.take() if each.sender in besides]

    def close(self) -> None:
        """Close the descriptor, in a fork of this process."""
        os.close(self._descriptor)


def take_pending() -> list[SentSignal]:
    """Return the signals of ``SIGNALS`` that have arrived at this process, which blocks them."""
    taken = []
    while found := signal.sigtimedwait(SIGNALS, 0):
        taken.append(SentSignal(found.si_signo, found.si_pid))
    return taken


def request_of(number: int) -> signal.Signals:
    """Return what a signal to a runner asks for: SIGQUIT to kill the program, the others to stop it."""
    return signal.SIGKILL if number == signal.SIGQUIT else signal.SIGTERM


def _open_signalfd() -> int:
    """Return a descriptor that is readable while a signal is pending; Python does not define it.

    Raises:
        OSError: This process is out of descriptors or memory.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = sum(1 << (number - 1) for number in SIGNALS)
    wanted = struct.pack("L", numbers).ljust(_SIGSET, b"\0")
    descriptor = int(libc.signalfd(-1, wanted, os.O_CLOEXEC | os.O_NONBLOCK))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return descriptor
