"""The program of an attempt: what the runner starts, and what it has to know to end it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.runner.output import Pipe

# What a runner handles itself, and a program must find as the system has it.
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
HASH_SEED: Final = "PYTHONHASHSEED"


def hash_seed() -> str:
    """Return what decides the order of sets of strings in all runs: the user's own, or always 0."""
    given = os.environ.get(HASH_SEED, "")
    return "0" if given in ("", "random") else given


# The exit code of a process that stood by for a program and was let go: no program has run.
NOT_CALLED: Final = 213


class StartedProgram(Protocol):
    """A program that was started, the leader of its own process group."""

    @property
    def pid(self) -> int:
        """Its process ID, and that of its group."""

    def wait(self) -> int:
        """Wait for its end and return its exit code, negative for a signal."""


class Ready(Protocol):
    """A program that has all it needs, and waits for the word."""

    def start(self) -> StartedProgram:
        """Start it.

        Raises:
            OSError: It cannot be started.
        """

    def drop(self) -> None:
        """Do without it."""


class Program(Protocol):
    """Something that carries out a run, in a process of its own."""

    # Whether a request to stop goes to its whole process group: a shell would sit on it, but a
    # trainer wants its loader workers to live until the iteration is over.
    asked_as_group: ClassVar[bool]
    # Whether it writes the stacks of its threads to its output when it gets SIGUSR1.
    tells_its_stacks: ClassVar[bool]

    @property
    def name(self) -> str:
        """What to call it in messages."""

    @property
    def plain(self) -> Program:
        """The same, without what belongs to this process: it can be told to another one."""

    def prepare(self, environment: Mapping[str, str], output: Pipe, lock: int) -> Ready:
        """Make it ready; it and what it starts keep the descriptor ``lock`` open.

        Args:
            environment: Its whole environment.
            output: What its stdout and stderr are written to.
            lock: The descriptor that is locked for as long as any of its processes lives.

        Raises:
            OSError: There is no room for it.
        """


@dataclass(frozen=True, slots=True)
class Command:
    """Any program, with its arguments."""

    asked_as_group: ClassVar[bool] = True
    tells_its_stacks: ClassVar[bool] = False

    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """The program's file."""
        return self.arguments[0]

    @property
    def plain(self) -> Command:
        """Itself."""
        return self

    def prepare(self, environment: Mapping[str, str], output: Pipe, lock: int) -> Ready:
        """Put together what it is started with."""
        return _ReadyCommand(self.arguments, environment, output, lock)


@dataclass(frozen=True, slots=True)
class Orphan:
    """A program whose runner is gone; this process is its parent now."""

    pid: int

    def wait(self) -> int:
        """Wait for its end and return its exit code, negative for a signal."""
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


@dataclass(frozen=True, slots=True)
class _ReadyCommand:
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    output: Pipe
    lock: int

    def start(self) -> StartedProgram:
        """Start it in a new session."""
        return subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=self.output.writing,
            stderr=subprocess.STDOUT,
            env=self.environment,
            pass_fds=(self.lock,),
            start_new_session=True,
        )

    def drop(self) -> None:
        """Do without it: nothing is there yet."""


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Hold signals back while a process is made, which begins with them held back, too.

    It lets them in when its handlers stand, so no request to stop is lost on the way.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def redirect(output: int) -> None:
    """Let this process read nothing, and write to a descriptor; Python's streams follow."""
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
        for number in (1, 2)
    )
