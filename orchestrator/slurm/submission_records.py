"""Records of submissions, called tokens: what is written of pilots before they are submitted, so that none is submitted twice.

A token is the file ``pilots/<nonce>.json`` in the experiment's folder, for one call of ``sbatch``. Its
nonce is part of the name of the job, by which Slurm is asked. Between the token and the answer
``sbatch`` holds the lock of ``pilots/<nonce>.lock``: an ``orch run`` that finds it free, and Slurm does
not know the name, knows that nothing was submitted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir import durable, records
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from pathlib import Path

PILOTS: Final = "pilots"
_CONTROLLER: Final = "controller.lock"
_NONCE_BYTES: Final = 4
_NONCE: Final = re.compile(rf"[0-9a-f]{{{2 * _NONCE_BYTES}}}")
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 40  # characters of the experiment in the name of a job
_NAME: Final = re.compile(r"orch-[A-Za-z0-9._-]*-([0-9a-f]+)")
_LARGEST_ARRAY: Final = 4_000_001  # the most that Slurm's MaxArraySize can be


@dataclass(frozen=True, slots=True)
class PilotToken:
    """One call of ``sbatch``: an array of pilots.

    ``nonce`` is in the ``name`` of the job; ``kind`` is the number of the kind of allocation;
    ``count`` the pilots of the array; ``job`` the answer of ``sbatch``, empty before it; ``is_over``:
    none of its pilots is in the queue any more.
    """

    nonce: str
    name: str
    kind: int
    count: int
    submitted_at: str
    job: str = ""
    is_over: bool = False


class PilotsFolder:
    """The folder with the tokens, the logs of pilots and the lock of who submits them."""

    def __init__(self, experiment: Path) -> None:
        self.path = experiment / PILOTS
        self._controller = -1

    def tokens(self) -> list[PilotToken]:
        """Return the tokens in the order in which they were submitted; ignore damaged ones."""
        try:
            names = os.listdir(self.path)  # noqa: PTH208 # names are all that is needed
        except OSError:
            return []
        nonces = (name.removesuffix(".json") for name in names if name.endswith(".json"))
        found = (self._read(nonce) for nonce in nonces if _NONCE.fullmatch(nonce))
        return sorted((each for each in found if each), key=lambda each: each.submitted_at)

    def begin(self, experiment_id: str, kind: int, count: int) -> tuple[PilotToken, int]:
        """Write a token before its pilots are submitted; return it with the lock for ``sbatch``.

        Raises:
            OSError: It cannot be written.
        """
        nonce = os.urandom(_NONCE_BYTES).hex()
        name = f"orch-{_PLAIN.sub('-', experiment_id)[:_LONGEST]}-{nonce}"
        lock = os.open(self._lock(nonce), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            token = PilotToken(nonce, name, kind, count, records.now())
            self.write(token)
        except BaseException:
            os.close(lock)
            raise
        return token, lock

    def write(self, token: PilotToken) -> None:
        """Replace the file of a token.

        Raises:
            OSError: It cannot be written.
        """
        content = {"schema": records.SCHEMA, **asdict(token)}
        durable.write_file(self.path / f"{token.nonce}.json", records.dump(content))

    def close(self, token: PilotToken) -> PilotToken:
        """Record that none of its pilots is left, and return the token.

        Raises:
            OSError: It cannot be written.
        """
        over = replace(token, is_over=True)
        self.write(over)
        signs = [
            *self.path.glob(f"{token.nonce}_*.begun"),
            *self.path.glob(f"{token.nonce}_*.refused"),
        ]
        for path in (self._lock(token.nonce), self._withdrawal(token.nonce), *signs):
            with contextlib.suppress(OSError):  # nobody reads them now
                path.unlink()
        return over

    def is_being_submitted(self, token: PilotToken) -> bool:
        """Return whether its ``sbatch`` is still at work."""
        try:
            descriptor, _ = durable.open_plain(self._lock(token.nonce))
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def become_controller(self) -> bool:
        """Become the process that submits pilots, until ``leave``; return whether none else is that.

        Raises:
            RunDirectoryError: The folder cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            durable.make_folder(self.path)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(self.path / _CONTROLLER, flags, 0o666)
        except OSError as error:
            raise RunDirectoryError(
                f"{self.path}: cannot write here ({error.strerror or error})."
                " Check the permissions and the disk, or choose another results_dir."
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._controller = descriptor
        return True

    def leave(self) -> None:
        """Let another process submit pilots."""
        if self._controller >= 0:
            os.close(self._controller)
            self._controller = -1

    def logs(self, token: PilotToken) -> list[Path]:
        """Return the logs of its pilots, the newest first."""
        found = self.path.glob(f"{token.nonce}_*.log")
        with contextlib.suppress(OSError):
            return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
        return []

    def log_pattern(self, token: PilotToken) -> str:
        """Return where Slurm writes what the pilots of a token print."""
        return str(self.path / f"{token.nonce}_%a.log").replace("%", "%%").replace("%%a", "%a")

    def withdraw(self, token: PilotToken) -> None:
        """Let pilots of a token that start from now on end at once.

        Raises:
            OSError: The request cannot be written.
        """
        _touch(self._withdrawal(token.nonce))

    def is_withdrawn(self, nonce: str) -> bool:
        """Return whether a pilot that starts now is to end at once."""
        return os.path.lexists(self._withdrawal(nonce))

    def note_begin(self, nonce: str, place: int) -> None:
        """Record that a pilot has loaded what its runs need, and begins to start them.

        Raises:
            OSError: It cannot be written.
        """
        _touch(self.path / f"{nonce}_{place}.begun")

    def note_refusal(self, nonce: str, place: int, why: str) -> None:
        """Record why a pilot starts nothing, if that concerns the experiment, and not its node.

        Raises:
            OSError: It cannot be written.
        """
        durable.write_file(self.path / f"{nonce}_{place}.refused", why.encode())

    def refusal(self, token: PilotToken) -> str:
        """Return why a pilot of a token starts nothing; an empty string if none says that."""
        for path in self.path.glob(f"{token.nonce}_*.refused"):
            with contextlib.suppress(OSError):
                return printable(durable.read_file(path).decode(errors="replace"))
        return ""

    def has_begun(self, token: PilotToken, place: int | None) -> bool:
        """Return whether a pilot of a token has begun to start runs."""
        return os.path.lexists(self.path / f"{token.nonce}_{place}.begun")

    def _withdrawal(self, nonce: str) -> Path:
        return self.path / f"{nonce}.withdrawn"

    def _lock(self, nonce: str) -> Path:
        return self.path / f"{nonce}.lock"

    def _read(self, nonce: str) -> PilotToken | None:
        try:
            found = records.parse(durable.read_file(self.path / f"{nonce}.json"))
        except OSError:
            return None
        match found:
            case {
                "schema": 1,
                "name": str(name),
                "kind": int(kind),
                "count": int(count),
                "submitted_at": str(submitted_at),
                "job": str(job),
                "is_over": bool(is_over),
            } if kind >= 0 and 1 <= count <= _LARGEST_ARRAY and _is_name_with(nonce, name):
                return PilotToken(nonce, name, kind, count, submitted_at, job, is_over)
        return None


def _is_name_with(nonce: str, name: str) -> bool:
    """Return whether a name is that of a job of ours: with a comma, it would name others as well."""
    found = _NAME.fullmatch(name)
    return found is not None and found[1] == nonce


def _touch(path: Path) -> None:
    if os.path.lexists(path):  # whatever has this name says it
        return
    descriptor, _ = durable.open_below(path.parent, path.name, append=True)
    os.close(descriptor)
