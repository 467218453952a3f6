"""Fault points: the places at which a process of ours changes, locks or starts something.

A point is named ``role:operation:file``, say ``runner:rename:status.json``; ``#2`` is the second
time that any process of the world comes by. The product knows nothing of them: Python tells of each
open, rename, link, removal, lock and fork (an audit hook), and what it does not tell of is wrapped. So a
new write of the product is a new point by itself.

A world is a folder with ``results`` and ``faults`` in it. ``faults/points`` lists the points in the
order in which they were come by, ``faults/order`` says what happens at which one, once, and
``faults/happened`` by whom it was done. While there is a file ``faults/full``, nothing can be
written below ``results`` at all. While ``faults/disk`` is a link to the image of the disk that
``results`` is on, ``cuts`` gets a copy of it before each rename and sync.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import fcntl
import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any

WATCHER = "FAULTS_WATCHER"  # the variable with the process ID of the test, which looks into worlds
SHARED = "FAULTS_SHARED"  # the variable that says to serve on when a caller dies in mid-sentence
_RESULTS = "/results/"
_DESCRIPTORS = Path("/proc/self/fd")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_GROWING = frozenset(("open", "write", "pwrite", "mkdir", "fsync", "link"))
# Names that hold a run ID, chance, a CRC-32 or a time; the number of an attempt or iteration stays.
_VARYING = (
    (re.compile(r"\.new-[0-9a-f]{16}-[0-9a-f]{32}"), ".new-RUN"),
    (re.compile(r"\.new-[0-9a-f]{16}\b"), ".new-probe"),
    (re.compile(r"\.new-swept-[0-9a-f]{32}"), ".new-swept"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "RUN"),
    (re.compile(r"-[0-9a-f]{8}\.pt"), "-CRC.pt"),
    (re.compile(r"unreadable-\w+"), "unreadable-TIME"),
)
_inside = threading.local()


def install() -> None:
    """Watch this process, and those that are forked from it."""
    sys.addaudithook(_watch)
    for name in ("write", "pwrite", "fsync"):
        setattr(os, name, _wrapped(name, getattr(os, name)))
    if os.environ.pop(SHARED, ""):
        reduction.recvfds = _patiently(reduction.recvfds)
    io.open = builtins.open = _open  # type: ignore[assignment] # reading is left to the original


def _patiently(receive: Callable[..., list[int]]) -> Callable[..., list[int]]:
    """Return what tells a server that serves one caller, and may die with it, to wait for the next."""

    def call(*arguments: Any) -> list[int]:
        try:
            return receive(*arguments)
        except EOFError:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the caller died") from None

    return call


def role() -> str:
    """Tell which part of the product this process is."""
    if "ORCH_ATTEMPT" in os.environ:
        return "trainer"
    words = " ".join(sys.orig_argv)
    if "orchestrator.tracking" in words:
        return "reporter"
    if "orchestrator.runner" in words or "multiprocessing.forkserver" in words:
        return "runner"
    return "orchestrator"


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITING:
            _come_by("open", path)
    elif event == "fcntl.flock":
        # A look whether a run lives changes nothing.
        if arguments[1] & fcntl.LOCK_EX:
            _come_by("flock", arguments[0])
    elif event in ("os.rename", "os.link"):
        _come_by(event[3:], arguments[1])
    elif event in ("os.remove", "os.rmdir", "os.mkdir"):
        _come_by(event[3:], arguments[0], arguments[-1])
    elif event in ("os.fork", "subprocess.Popen"):
        _come_by("fork", f"{Path.cwd()}{_RESULTS}process")
    elif event == "os.truncate":
        _come_by("truncate", arguments[0])


def _wrapped(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(descriptor: int, *arguments: Any) -> Any:
        def half() -> None:
            content, *place = arguments
            original(descriptor, content[: len(content) // 2], *place)

        _come_by(name, descriptor, half=half if arguments else None)
        return original(descriptor, *arguments)

    return call


class _Raw(io.FileIO):
    """A file whose writes are points."""

    def write(self, content: Any) -> int:
        whole = bytes(content)
        _come_by(
            "write", self.fileno(), half=lambda: super(_Raw, self).write(whole[: len(whole) // 2])
        )
        return super().write(whole) or 0


_original_open = io.open


def _open(
    file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **named: Any
) -> IO[Any]:
    writes = isinstance(file, str | os.PathLike) and set(mode) & set("wxa+")
    if not writes or _place(os.fspath(file)) is None:
        return _original_open(file, mode, buffering, *arguments, **named)
    raw = _Raw(os.fspath(file), mode.replace("b", "").replace("t", ""))
    if "b" in mode:
        return raw if buffering == 0 else io.BufferedWriter(raw)  # type: ignore[return-value]
    return io.TextIOWrapper(io.BufferedWriter(raw), *arguments, **named)


def _come_by(
    operation: str, where: Any, folder: int = -1, half: Callable[[], object] | None = None
) -> None:
    """Note that a point is reached, and do what is ordered for it."""
    if getattr(_inside, "a_point", False):
        return
    _inside.a_point = True
    try:
        place = _place(_path_of(where, folder))
        if place is None:
            return
        world, name = place
        point = f"{role()}:{operation}:{name}"
        faults = Path(world, "faults")
        if not faults.is_dir():
            return
        if operation in _GROWING and (faults / "full").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        act = _note(faults, point)
        if operation in ("rename", "fsync"):
            _keep_disk(faults, point)
        if act:
            _act(act, world, half)
    finally:
        _inside.a_point = False


def _note(faults: Path, point: str) -> str:
    """Write the point into the list; return what is to be done here, at most once."""
    with _original_open(faults / "points", "a+") as points:
        fcntl.flock(points, fcntl.LOCK_EX)
        points.seek(0)
        count = 1 + points.read().splitlines().count(point)
        points.write(point + "\n")
        points.flush()
        with contextlib.suppress(FileNotFoundError):
            ordered, _, act = (faults / "order").read_text().strip().rpartition("=")
            if ordered == f"{point}#{count}":
                (faults / "order").unlink()
                (faults / "happened").write_text(f"{point}#{count}={act} {os.getpid()}")
                return act
    return ""


def _keep_disk(faults: Path, point: str) -> None:
    """Copy the disk that the results are on, if it is to be known what a power cut would leave."""
    with contextlib.suppress(FileNotFoundError):
        disk = (faults / "disk").readlink()
        with _original_open(faults / "points", "r") as points:
            fcntl.flock(points, fcntl.LOCK_EX)
            number = len(list((faults.parent / "cuts").iterdir()))
            copy = faults.parent / f"cuts/{number:04d} {point.replace('/', '|')}"
            subprocess.run(["cp", "--sparse=always", disk, copy], check=True)


def _act(act: str, world: str, half: Callable[[], object] | None) -> None:
    if act == "torn" and half:
        half()
    if act in ("kill", "torn"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == "massacre":
        for pid in processes_of(world):
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif act == "full":
        Path(world, "faults/full").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    else:
        number = getattr(errno, act)
        raise OSError(number, os.strerror(number))


def _path_of(where: Any, folder: int = -1) -> str:
    try:
        if hasattr(where, "fileno"):
            where = where.fileno()
        if isinstance(where, int):
            return str(_DESCRIPTORS.joinpath(str(where)).readlink())
        path = os.fsdecode(where)
        if not path.startswith("/"):
            start = Path.cwd() if folder < 0 else _DESCRIPTORS.joinpath(str(folder)).readlink()
            path = os.path.normpath(f"{start}/{path}")
    except (OSError, TypeError, ValueError):
        return ""
    return path


def _place(path: str) -> tuple[str, str] | None:
    """Split a path into its world and the name under the results, without what varies."""
    if not path.startswith("/"):
        path = f"{Path.cwd()}/{path}"
    world, results, name = path.partition(_RESULTS)
    if not results:
        return None
    name = name.partition("training/")[2] or name
    for pattern, instead in _VARYING:
        name = pattern.sub(instead, name)
    return world, name.removeprefix("RUN/")


def processes_of(world: str) -> list[int]:
    """Return the processes, zombies apart, that stand in a world or have a file of it open."""
    return [int(path.name) for path in Path("/proc").iterdir() if _belongs(path, world)]


def _belongs(process: Path, world: str) -> bool:
    if not process.name.isdecimal() or process.name == os.environ.get(WATCHER):
        return False
    with contextlib.suppress(OSError):
        return any(f"{target}/".startswith(f"{world}/") for target in _targets(process))
    return False


def _targets(process: Path) -> Iterator[str]:
    yield str((process / "cwd").readlink())
    for descriptor in (process / "fd").iterdir():
        with contextlib.suppress(OSError):
            yield str(descriptor.readlink())
