"""The import trial: which modules may be loaded in the process that forks runs.

It takes place in a fork of that process, which ends afterwards. A module is left out if its import does
what a fork does not survive, or what is set for each run: it starts a thread or a process, opens a
device, draws random numbers, or handles signals; or if it depends on variables that a run sets.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, Self

from orchestrator.runner.attempt_program import redirect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection

    from orchestrator.runner.new_imports import NewImports

_MOST_REFUSED: Final = 20  # each costs a fork; what comes after them is left out
_NO_DEVICES: Final = re.compile(r"/dev/(null|u?random|tty|pts/|shm/)")


@dataclass(frozen=True, slots=True)
class Judged:
    """The modules that may be loaded before a fork, and the seconds that importing them took."""

    harmless: tuple[str, ...] = ()
    seconds: float = 0.0


def try_in_fork(sender: Connection, found: NewImports) -> None:
    """Run in a fork of the process that forks: judge what a program imported, and send that."""
    os.setpgid(0, 0)  # so that it can be killed with its forks
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    redirect(nowhere)
    os.close(nowhere)
    with suppress(BrokenPipeError):  # orch has ended meanwhile
        sender.send(judge(found))


def judge(found: NewImports) -> Judged:
    """Import the modules in forks of this process, and return those that are harmless.

    A module that is not is left out with all that its import brought along, and the others are tried in
    a fork that has imported none of these.
    """
    left, harmless, seconds = [*found.names], list[str](), 0.0
    for _ in range(_MOST_REFUSED):
        passed, refused = _try_in_order(left, found.environment)
        harmless += left[: len(passed)]
        seconds += sum(passed)
        if not refused:
            break
        for name in left[: len(passed)]:  # so that the next fork need not
            import_module(name)
        left = [name for name in left[len(passed) :] if name not in refused]
    return Judged(tuple(harmless), seconds)


def _try_in_order(names: Sequence[str], wanted: Mapping[str, str]) -> tuple[list[float], set[str]]:
    """Import modules in a fork until one is not harmless.

    Returns the seconds that each took, and those that are left out then: none if all are harmless.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            _report_on_each(names, wanted, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = [json.loads(line) for line in told if line.endswith("\n")]
    os.waitpid(child, 0)
    passed = [line for line in lines if isinstance(line, float)]
    if len(passed) == len(names):
        return passed, set()
    brought = lines[-1] if len(lines) > len(passed) else []  # it may have killed the process
    return passed, {names[len(passed)], *brought}


def _report_on_each(names: Sequence[str], wanted: Mapping[str, str], writing: int) -> None:
    """Write the seconds that each import took, and what the first that is not harmless brought along."""
    with os.fdopen(writing, "w", 1) as telling:
        for name in names:
            known, began = {*sys.modules}, time.monotonic()
            if not _is_harmless(name, wanted):
                telling.write(
                    json.dumps([each for each in sys.modules if each not in known]) + "\n"
                )
                return
            telling.write(f"{time.monotonic() - began}\n")


def _is_harmless(name: str, wanted: Mapping[str, str]) -> bool:
    if name in sys.modules:  # one before it has imported it
        return True
    before, variables = _state(), dict(os.environ)
    with RecordedReads() as reads:
        try:
            import_module(name)
        except BaseException:  # noqa: BLE001 # also what calls sys.exit
            return False
    after = dict(os.environ)
    changed = {key for key in {*variables, *after} if variables.get(key) != after.get(key)}
    # In the run it has to find the values that it found here, and to leave those that it left.
    return (
        _state(without=before) == before
        and all(wanted.get(key) == after.get(key) for key in changed)
        and all(wanted.get(key) in (variables.get(key), after.get(key)) for key in reads.keys)
    )


class RecordedReads:
    """Records which variables of the environment are read; a context manager."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def __enter__(self) -> Self:
        """Begin to record."""
        keys, usual = self.keys, type(os.environ)

        class RecordedEnvironment(usual):  # type: ignore[misc,valid-type] # the class of os.environ has no public name
            def __getitem__(self, key: str) -> str:
                keys.add(key)
                return str(super().__getitem__(key))

        self._usual = usual
        os.environ.__class__ = RecordedEnvironment
        return self

    def __exit__(self, *_: object) -> None:
        """Stop recording."""
        os.environ.__class__ = self._usual


def _state(without: Mapping[str, object] | None = None) -> Mapping[str, object]:
    """Return what an import must not change; generators that were not there ``without`` are new."""
    found: dict[str, object] = {
        "threads": sorted(os.listdir("/proc/self/task")),  # noqa: PTH208 # called for each module
        "processes": _has_processes(),
        "devices": _open_devices(),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "folder": os.getcwd(),  # noqa: PTH109 # as above
        "python": random.getstate(),
    }
    if numpy_random := sys.modules.get("numpy.random"):
        state = numpy_random.get_state(legacy=False)["state"]
        found["numpy"] = (bytes(state["key"]), state["pos"])
    torch = sys.modules.get("torch")
    if generator := getattr(torch, "default_generator", None):
        found["torch"] = bytes(generator.get_state().numpy())
    return found if without is None else {key: found.get(key) for key in without}


def _has_processes() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _open_devices() -> list[str]:
    """Return the devices that this process has opened; a GPU is one of them."""
    found = []
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 # as above
        with suppress(OSError):
            path = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 # as above
            if path.startswith("/dev/") and not _NO_DEVICES.match(path):
                found.append(path)
    return sorted(found)
