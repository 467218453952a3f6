"""A world: a folder in which ``orch`` is called, with everything that a test may do to it."""

from __future__ import annotations

import contextlib
import json
import multiprocessing.forkserver
import os
import pty
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import fault_points

from orchestrator.cli import main
from orchestrator.launchers.forkserver_handle import ForkServer

FAULTS = Path(__file__).parents[1]
PROJECT = FAULTS / "project"
USER_CODE = FAULTS.parent / "trainer" / "user_code"
# Seconds; on a machine that is busy with other work a soak needs more.
LONGEST = float(os.environ.get("ORCH_TEST_PATIENCE", "60"))
FOREIGN_COMMAND = f"orch.command=[{sys.executable},{PROJECT / 'program.py'},'{{run_dir}}','2']"


class Stable:
    """A process that has loaded the training stack and forks the runners of many orchestrators.

    Each ``orch run`` has one of its own otherwise; sharing it saves seconds a call.
    """

    def __init__(self, log: Path) -> None:
        self.log = log  # what users would see at their terminal
        self._server = multiprocessing.forkserver.ForkServer()
        self._server.set_forkserver_preload(
            [
                *("stable_preload", "orchestrator.runner.runner"),
                *("trainer.preload", "trainer.trainer", "trainer.__main__"),
            ]
        )
        before, stderr = dict(os.environ), os.dup(2)
        os.environ.update(environment() | {fault_points.SHARED: "yes"})
        try:
            with log.open("wb") as file:
                os.dup2(file.fileno(), 2)
            self._server.ensure_running()
        finally:
            os.environ.clear()
            os.environ.update(before)
            os.dup2(stderr, 2)
            os.close(stderr)

    def close(self) -> None:
        """End it."""
        self._server._stop()

    def serve_this_process(self) -> None:
        """Let the warm launcher of this process, which was forked, find the server running."""
        self._server.ensure_running = lambda: None  # type: ignore[method-assign]
        module = multiprocessing.forkserver
        module._forkserver = self._server  # type: ignore[attr-defined]
        module.connect_to_new_process = self._server.connect_to_new_process
        module.ensure_running = self._server.ensure_running
        module.set_forkserver_preload = self._server.set_forkserver_preload
        # It is shared, and is not told to load what one of the orchestrators has learned.
        ForkServer.load = lambda *_: None  # type: ignore[method-assign]


def environment() -> dict[str, str]:
    """Return what a process has to find in its environment to have fault points."""
    folders = (FAULTS / "apparatus", PROJECT, USER_CODE, FAULTS.parents[1])
    return {
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONDONTWRITEBYTECODE": "1",
        fault_points.WATCHER: str(os.getpid()),
    }


@dataclass(frozen=True)
class Ended:
    """How a call of ``orch`` ended, and what it printed."""

    code: int
    said: str


Before = Callable[[], object]


class Call:
    """A call of ``orch`` in a process of its own, forked from this one to save its imports.

    ``before`` is called in it first: it may take something away from the process.
    """

    def __init__(self, world: World, arguments: list[str], before: Before = bool) -> None:
        self.world = world
        self.arguments = arguments
        self.output = world.folder / "said" / f"{time.monotonic_ns()}"
        self.pid = self._fork()
        if self.pid == 0:
            _be_orch(world, arguments, before)
        self.end = os.pidfd_open(self.pid)

    def _fork(self) -> int:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            target = os.open(self.output, os.O_WRONLY | os.O_CREAT)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, number in ((nothing, 0), (target, 1), (target, 2)):
                os.dup2(source, number)
        return pid

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def wait(self, longest: float = LONGEST) -> Ended:
        """Return when it has ended; if it takes too long, it is killed, and the test fails."""
        if not select.select([self.end], [], [], longest)[0]:
            os.kill(self.pid, signal.SIGKILL)
            raise AssertionError(f"orch did not end:\n{self.collect().said}")
        return self.collect()

    def collect(self) -> Ended:
        """Return how it ended, which it has."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.end)
        return Ended(os.waitstatus_to_exitcode(status), self.said)


class TerminalCall(Call):
    """A call of ``orch`` at a terminal."""

    def _fork(self) -> int:
        pid, self.terminal = pty.fork()
        if pid:
            os.set_blocking(self.terminal, False)
        return pid

    @property
    def said(self) -> str:
        """What it has printed so far, with all that steers the terminal."""
        with contextlib.suppress(OSError), self.output.open("ab") as output:
            while piece := os.read(self.terminal, 1 << 16):
                output.write(piece)
        return super().said

    def press_ctrl_c(self) -> None:
        """Let the terminal send its signal."""
        os.write(self.terminal, b"\x03")

    def hang_up(self) -> None:
        """Close the terminal."""
        os.close(self.terminal)

    def wait(self, longest: float = LONGEST) -> Ended:
        """Return when it has ended; a terminal has to be read meanwhile."""
        until(lambda: self.said and select.select([self.end], [], [], 0.005)[0], longest)
        return super().wait(0)


class ProcessCall(Call):
    """A call of ``orch`` as a user makes it: a new process, which loads everything itself."""

    def _fork(self) -> int:
        pid = super()._fork()
        if pid == 0:
            os.chdir(self.world.folder)
            command = [sys.executable, "-m", "orchestrator", *self.arguments]
            os.execve(command[0], command, {**os.environ, **environment()})  # noqa: S606 # as a shell does
        return pid


def _be_orch(world: World, arguments: list[str], before: Before) -> None:
    """Be ``orch`` in a fork of this process; does not return."""
    code = 70
    try:
        os.environ.update(environment())
        os.chdir(world.folder)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, encoding="utf-8", closefd=False)
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        sys.modules["__main__"] = ModuleType("__main__")  # whose module a runner would import
        sys.path += map(str, (PROJECT, USER_CODE))
        sys.argv = ["orch", *arguments]
        world.stable.serve_this_process()
        fault_points.install()
        before()
        main.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 # a bug, which the oracle has to find
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


C = TypeVar("C", bound=Call)


class World:
    """A folder with ``results``, the orders for ``faults``, and what the ``witness`` saw."""

    def __init__(self, folder: Path, stable: Stable, grid: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.stable = stable
        self.grid = grid or ("seed=0,1", "--workers=1")
        for name in ("faults", "witness", "said"):
            (folder / name).mkdir(parents=True)

    def call(self, *arguments: str, before: Before = bool, kind: type[C] = Call) -> C:
        """Begin a call of ``orch``, for the experiment of the tests."""
        return kind(self, [*arguments, f"--config-dir={PROJECT / 'conf'}"], before)

    def begin(self, *more: str, before: Before = bool, kind: type[C] = Call) -> C:
        """Begin ``orch run`` on this world's grid."""
        return self.call("run", *self.grid, *more, before=before, kind=kind)

    def run(self, *more: str, before: Before = bool) -> Ended:
        """Carry ``orch run`` out to its end."""
        return self.begin(*more, before=before).wait()

    def order(self, fault: str) -> None:
        """Say what is to happen at which point, such as ``runner:fsync:status.json#1=EIO``."""
        (self.folder / "faults/order").write_text(fault)

    @property
    def happened(self) -> str:
        """What has happened, and to which process; nothing yet."""
        path = self.folder / "faults/happened"
        return path.read_text() if path.exists() else ""

    def points(self) -> list[str]:
        """Return the points that were come by, each with its count."""
        seen: dict[str, int] = {}
        points = []
        for point in self.notes("faults/points"):
            seen[point] = seen.get(point, 0) + 1
            points.append(f"{point}#{seen[point]}")
        return points

    def notes(self, name: str) -> list[str]:
        """Return the lines of a file, if there is one."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def directories(self) -> list[Path]:
        """Return the run directories."""
        return sorted((self.folder / "results/faults/training").glob("[0-9a-f]*"))

    def processes(self) -> list[int]:
        """Return the processes that live in this world."""
        return fault_points.processes_of(str(self.folder))

    def hold(self) -> None:
        """Let trainings wait at their next iteration, until ``release``."""
        (self.folder / "witness/hold").touch()

    def release(self) -> None:
        """Let trainings go on."""
        (self.folder / "witness/hold").unlink()

    @property
    def executed(self) -> list[tuple[str, int, int]]:
        """Return what was begun: run ID, attempt and process ID of the trainer."""
        lines = (line.split() for line in self.notes("witness/executed"))
        return [(run_id, int(attempt), int(pid)) for run_id, attempt, pid in lines]

    def statuses(self) -> list[Any]:
        """Return what stands in each ``status.json``."""
        return [read(directory / "status.json") or {} for directory in self.directories()]

    def kill_all(self) -> None:
        """End what a failed test would leave."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


MakeWorld = Callable[..., World]


def read(path: Path) -> Any:
    """Return what a JSON file holds; None where it is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def until(condition: Any, longest: float = LONGEST, what: str = "") -> None:
    """Return when a condition holds, or fail."""
    deadline = time.monotonic() + longest
    while not condition():
        assert time.monotonic() < deadline, f"it never came to it: {what or condition}"
        time.sleep(0.005)
