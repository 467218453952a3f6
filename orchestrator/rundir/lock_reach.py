"""The test whether locks reach from host to host, between live processes that share a folder.

Each process holds the lock of a file of its own in ``hosts/``, and answers other processes. A newcomer
asks one of another host, or one that sees the folder through another mount; the answer proves that it
lives, so its lock must be held. If it is free from here, a run that is executed there would look dead,
and be started a second time.

======================  ====================================================================
``ID.lock``             locked by its process as run directories are
``ID.json``             the host of that process, and the device on which it sees the folder
``ask-ID-ASKER``        a question
``yes-ID-ASKER``        its answer, a hard link to the question
``reach-A-B.json``      locks reach between two hosts
======================  ====================================================================
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from orchestrator.errors import IncoherentLocksError, RunDirectoryError
from orchestrator.rundir import durable, records
from orchestrator.rundir.lock import RunLock
from orchestrator.rundir.sharing_hosts import Host, KnownHosts, shared_file_system, this_host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

_PAUSE: Final = 0.2  # seconds
_PATIENCE: Final = 5.0  # seconds; a live process answers within some tenths
_ID_BYTES: Final = 8


class LockTest:
    """Takes part in the test while it is entered; does nothing on a file system of this machine.

    Entering it tests the locks against every other host and mount, before any run is started.

    Args:
        experiment: The experiment's folder.
        tell: Called once if another host keeps this one waiting.
    """

    def __init__(self, experiment: Path, tell: Callable[[str], None]) -> None:
        self._experiment = experiment
        self._known = KnownHosts(experiment)
        self._folder = self._known.folder
        self._tell = tell
        self._own = os.urandom(_ID_BYTES).hex()
        self._lock = -1
        self._device = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def __enter__(self) -> Self:
        """Test the locks, and answer other processes from now on.

        Raises:
            IncoherentLocksError: They do not reach to a host that executes runs of the experiment.
            RunDirectoryError: The folder cannot be written.
        """
        self._kind = shared_file_system(self._experiment)
        if not self._kind:
            return self
        try:
            self._begin()
            self._thread.start()
            self._test_others()
        except OSError as error:
            self.close()
            raise RunDirectoryError(
                f"{self._folder}: cannot write here ({error.strerror or error})."
                " Check the permissions and the disk, or choose another results_dir."
            ) from None
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take part no longer."""
        self.close()

    def close(self) -> None:
        """Remove what this process has written, but for the results."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._lock >= 0:
            self._remove(self._own)
            os.close(self._lock)
            self._lock = -1

    def _begin(self) -> None:
        durable.make_folder(self._folder)
        self._device = _device_of(self._folder)
        path = self._folder / f"{self._own}.lock"
        path.touch()
        lock = RunLock(path)
        self._lock = lock.open()
        lock.take(self._lock)
        host = this_host()
        content = {
            "schema": records.SCHEMA,
            "host": host.name,
            "boot_id": host.boot_id,
            "node": host.node,
            "device": self._device,
        }
        durable.write_file(self._folder / f"{self._own}.json", records.dump(content))

    def _answer(self) -> None:
        while not self._over.wait(_PAUSE):
            with contextlib.suppress(OSError):
                self._answer_once()

    def _answer_once(self) -> None:
        names = set(os.listdir(self._folder))  # noqa: PTH208 # names are all that is needed
        mine = f"ask-{self._own}-"
        for name in names:
            answer = f"yes-{name.removeprefix('ask-')}"
            if name.startswith(mine) and answer not in names:
                self._write_answer(name, answer)

    def _write_answer(self, ask: str, answer: str) -> None:
        try:
            os.link(self._folder / ask, self._folder / answer)
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise  # the question was removed, and an answer to it would stay
        except OSError:  # a file system without hard links
            (self._folder / answer).touch()

    def _test_others(self) -> None:
        """Test each process of another host or mount that answers.

        Raises:
            IncoherentLocksError: The lock of one is free from here.
        """
        deadline = time.monotonic() + _PATIENCE
        waiting = self._find_others()
        has_told = False
        while waiting and time.monotonic() < deadline:
            for other, host in list(waiting.items()):
                ask = self._folder / f"ask-{other}-{self._own}"
                ask.touch()
                if (self._folder / f"yes-{other}-{self._own}").exists():
                    self._judge(other, host)
                    del waiting[other]
            if waiting and not has_told and time.monotonic() > deadline - _PATIENCE / 2:
                has_told = True
                self._tell(f"host {next(iter(waiting.values())).name} has not answered yet")
            time.sleep(_PAUSE if waiting else 0)

    def _find_others(self) -> dict[str, Host]:
        """Return the processes of other hosts and mounts, by ID, and remove the files of dead ones."""
        found: dict[str, Host] = {}
        for path in self._folder.glob("*.json"):
            other = path.stem
            if other == self._own or not _is_id(other):
                continue
            host, device = _read_host(path)
            if host == this_host() and device not in ("", self._device):
                found[other] = host
            elif host is None or not host.is_other_than(this_host()):
                if not self._is_held(other):  # killed: a live one holds its lock
                    self._remove(other)
            elif not self._known.locks_reach(host):
                found[other] = host
            elif not self._is_held(other):
                self._remove(other)
        return found

    def _judge(self, other: str, host: Host) -> None:
        is_held = self._is_held(other)
        if not is_held and not (self._folder / f"{other}.json").exists():
            return  # it has ended in order since it answered
        if host == this_host():
            if not is_held:
                raise IncoherentLocksError(
                    f"{self._experiment}: another orch run executes this experiment through another"
                    f" mount of the folder, and locks on this file system ({self._kind}) do not reach"
                    " from mount to mount, so a run could be started twice. Use the same results_dir."
                )
        elif is_held:
            self._known.record_that_locks_reach(host)
        else:
            raise IncoherentLocksError(
                f"{self._experiment}: host {host.node or host.name} executes this experiment, and locks"
                f" on this file system ({self._kind}) do not reach from host to host, so a run could be"
                " started twice. Use one host, or a results_dir on a file system with such locks:"
                " see docs/cluster.md."
            )

    def _is_held(self, other: str) -> bool:
        try:
            return RunLock(self._folder / f"{other}.lock").is_held()
        except RunDirectoryError:
            return False

    def _remove(self, owner: str) -> None:
        for path in self._folder.glob(f"*{owner}*"):
            if not path.name.startswith("reach-"):
                with contextlib.suppress(OSError):
                    path.unlink()


def _is_id(name: str) -> bool:
    return len(name) == 2 * _ID_BYTES and all(digit in "0123456789abcdef" for digit in name)


def _device_of(folder: Path) -> str:
    """Return what tells the mounts apart through which one machine sees a folder."""
    return str(folder.stat().st_dev)


def _read_host(path: Path) -> tuple[Host | None, str]:
    """Return the host and the device that a process has written; no host if they cannot be read."""
    try:
        found = records.parse(durable.read_file(path))
    except OSError:
        return None, ""
    match found:
        case {"schema": 1, "host": str(name), "boot_id": str(boot_id), "node": str(node)}:
            device = found.get("device")
            return Host(name, boot_id, node), device if isinstance(device, str) else ""
    return None, ""
