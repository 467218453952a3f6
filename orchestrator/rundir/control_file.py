"""The control file of an experiment: how ``orch control`` changes the orchestrators that execute it.

It holds the last requests, each with an ID. An orchestrator remembers those that it found when it
started: a request reaches those that are at work, and none that start later. A damaged file asks for
nothing, and is reported once.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records
from orchestrator.rundir.folder_lock import exclusive
from orchestrator.rundir.program_files import stat_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_KEPT: Final = 50  # requests
_MOST_WORKERS: Final = 10_000
_NOT_A_FILE: Final = "it is not a control file"


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """A request: what is None or empty stays as it is.

    ``workers`` is the number of runs at once, ``paused`` whether none starts; ``without_gpus`` and
    ``with_gpus`` are numbers of GPUs on which none starts, or on which runs start again.
    """

    workers: int | None = None
    paused: bool | None = None
    without_gpus: tuple[int, ...] = ()
    with_gpus: tuple[int, ...] = ()


class ControlFile:
    """The control file, as an orchestrator sees it that starts now.

    ``locked`` is the folder whose lock is held to write it. The reporter holds that of the experiment's
    folder as long as it lives.
    """

    def __init__(self, path: Path, locked: Path) -> None:
        self._path = path
        self._locked = locked
        self._look = stat_of(f"{path}")
        self._known = set(self._read()[0])

    def ask(self, request: ControlRequest, tell: Callable[[str], None] | None = None) -> None:
        """Add a request for all orchestrators that are at work.

        ``tell`` is called if another process keeps this one waiting.

        Raises:
            OSError: The file cannot be written.
        """
        entry = {"id": os.urandom(8).hex(), "asked_at": records.now(), **asdict(request)}
        with exclusive(self._locked, tell):
            entries = [*self._entries(), entry][-_KEPT:]
            content = {"schema": records.SCHEMA, "requests": entries}
            durable.write_file(self._path, records.dump(content))

    def news(self) -> tuple[list[ControlRequest], str]:
        """Return the requests since the last look, and why the file cannot be read, if it cannot."""
        look = stat_of(f"{self._path}")
        if look == self._look:
            return [], ""
        self._look = look  # before it is read: a later request is read again
        found, damage = self._read()
        new = [request for request_id, request in found.items() if request_id not in self._known]
        self._known.update(found)
        return new, damage

    def _read(self) -> tuple[dict[str, ControlRequest], str]:
        try:
            content = records.parse(durable.read_file(self._path))
        except FileNotFoundError:
            return {}, ""
        except OSError as error:
            return {}, f"{self._path}: {error.strerror or error}"
        match content:
            case {"schema": records.SCHEMA, "requests": list(entries)}:
                found = {_id_of(entry): _parse(entry) for entry in entries}
                return {it: request for it, request in found.items() if it and request}, ""
        return {}, f"{self._path}: {_NOT_A_FILE}"

    def _entries(self) -> list[object]:
        """Return the requests in the file as they are; of a damaged one, none."""
        try:
            match records.parse(durable.read_file(self._path)):
                case {"schema": records.SCHEMA, "requests": list(entries)}:
                    return entries
        except OSError:
            pass
        return []


def _id_of(entry: object) -> str:
    found = entry.get("id") if isinstance(entry, dict) else None
    return found if isinstance(found, str) else ""


def _parse(entry: object) -> ControlRequest | None:
    """Return a request, or None if a part of it is not what it should be: then all of it is ignored."""
    if not isinstance(entry, dict):
        return None
    workers, paused = entry.get("workers"), entry.get("paused")
    without, again = (_numbers(entry.get(name)) for name in ("without_gpus", "with_gpus"))
    is_count = workers is None or (type(workers) is int and 1 <= workers <= _MOST_WORKERS)
    is_switch = paused is None or isinstance(paused, bool)
    if not (is_count and is_switch) or without is None or again is None:
        return None
    return ControlRequest(workers, paused, without, again)


def _numbers(found: object) -> tuple[int, ...] | None:
    if found is None:
        return ()
    if isinstance(found, list) and all(type(each) is int and each >= 0 for each in found):
        return tuple(found)
    return None
