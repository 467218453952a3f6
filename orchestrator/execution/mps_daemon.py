"""The MPS daemon: NVIDIA's service that lets processes compute on a GPU at the same time.

All ``orch run`` of a user on a host share one. The first one starts it, the last one ends it, and it
survives one that is killed: the next one finds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from orchestrator.errors import UsageError
from orchestrator.runner import process_tree
from orchestrator.runner.mps_clients import CONTROL, PIPES, ask_daemon, list_servers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_LOGS: Final = "CUDA_MPS_LOG_DIRECTORY"
_PID_FILE: Final = "nvidia-cuda-mps-control.pid"
_LONGEST_PATH: Final = 80  # bytes; its sockets are below it
_LONGEST: Final = 5.0  # seconds to start or to end
_BETWEEN: Final = 0.05
_PRIVATE: Final = 0o700
_OTHERS: Final = 0o077


def mps_folder() -> Path:
    """Return the folder of this user's daemon on this host."""
    usual = tempfile.gettempdir()
    short = usual if len(os.fsencode(usual)) <= _LONGEST_PATH else "/tmp"  # noqa: S108 # it is made private
    return Path(short, f"orch-mps-{os.geteuid()}")


class MpsDaemon:
    """Runs while it is entered; started if it is not there, and ended if nobody else uses it.

    Args:
        folder: Where its pipes and logs are; made with access for this user only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pipes = folder / "pipes"
        self._lock = -1

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which programs become clients."""
        return {PIPES: str(self._pipes), _LOGS: str(self._folder / "logs")}

    def processes(self) -> frozenset[int]:
        """Return the daemon and its servers, which use GPUs on behalf of the runs."""
        try:
            daemon = int((self._pipes / _PID_FILE).read_text())
        except (OSError, ValueError):
            return frozenset()
        return frozenset((daemon, *process_tree.below(daemon)))

    def __enter__(self) -> Self:
        """Start the daemon, unless it runs.

        Raises:
            UsageError: It cannot be started, or its folder belongs to somebody else.
        """
        self._make_folder()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._lock = os.open(self._folder / "users.lock", flags, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_SH)  # waits for one that is just ending it
            if not self._is_running():
                self._start()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the daemon, unless another ``orch run`` or a run uses it."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._has_clients():
                ask_daemon("quit", str(self._pipes))
                self._wait_until(is_running=False)
        os.close(self._lock)

    def _make_folder(self) -> None:
        with contextlib.suppress(FileExistsError):
            self._folder.mkdir(_PRIVATE)
        found = self._folder.lstat()
        is_private = stat.S_ISDIR(found.st_mode) and not found.st_mode & _OTHERS
        if found.st_uid != os.geteuid() or not is_private:
            raise UsageError(
                f"orch.mps: {self._folder} is not a folder that only you can use. Remove it, or set"
                " TMPDIR to another folder."
            )
        for name in ("pipes", "logs"):
            (self._folder / name).mkdir(_PRIVATE, exist_ok=True)

    def _start(self) -> None:
        # It serves all GPUs: other ``orch run`` may use others of them.
        environment = {**os.environ, **self.environment}
        environment.pop("CUDA_VISIBLE_DEVICES", None)
        try:
            ended = subprocess.run(
                [CONTROL, "-d"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a pipe would be open as long as the daemon is
                timeout=_LONGEST,
                env=environment,
                start_new_session=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise UsageError(
                f"orch.mps: {CONTROL} was not found. Install it with NVIDIA's driver, or set orch.mps=false."
            ) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(self._describe(str(error))) from error
        if not self._wait_until(is_running=True):  # another one may have been faster
            raise UsageError(self._describe(f"exit code {ended.returncode}"))

    def _describe(self, why: str) -> str:
        logs = self._folder / "logs"
        return f"orch.mps: {CONTROL} -d could not be started: {why}. See {logs}, or set orch.mps=false."

    def _is_running(self) -> bool:
        return ask_daemon("get_server_list", str(self._pipes)) is not None

    def _has_clients(self) -> bool:
        pipes = str(self._pipes)
        lists = (ask_daemon(f"get_client_list {it}", pipes) for it in list_servers(pipes))
        return any(each and each.split() for each in lists)

    def _wait_until(self, *, is_running: bool) -> bool:
        until = time.monotonic() + _LONGEST
        while self._is_running() is not is_running:
            if time.monotonic() >= until:
                return False
            time.sleep(_BETWEEN)
        return True
