"""The stop file of an experiment: how one ``orch`` asks those that execute the experiment to stop.

A request is a new content of the file. Each orchestrator and each runner remembers the content that it
found when it started, so a request reaches those that are at work and none that start later. No process
is signalled, and no PID is consulted.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records
from orchestrator.rundir.program_files import stat_of

if TYPE_CHECKING:
    from pathlib import Path


_NAME: Final = "stop.json"
# Words for what is asked of runs; others concern orchestrators only.
AT_CHECKPOINT: Final = "at_checkpoint"
AT_ONCE: Final = "at_once"


class StopFile:
    """The stop file, as an orchestrator or a runner sees it that starts now."""

    def __init__(self, experiment: Path) -> None:
        self._path = experiment / _NAME
        self._seen: tuple[int, ...] = ()
        self._before = self._read()[0]

    def ask(self, how: str) -> None:
        """Ask all orchestrators that are at work to stop; ``how`` is one word.

        Raises:
            OSError: The file cannot be written.
        """
        content = {
            "schema": records.SCHEMA,
            "how": how,
            "id": os.urandom(8).hex(),
            "asked_at": records.now(),
        }
        durable.write_file(self._path, records.dump(content))

    def news(self) -> str:
        """Return how it was asked since the last look; an empty string if it was not."""
        if stat_of(f"{self._path}") == self._seen:
            return ""
        request, how = self._read()
        if request == self._before:
            return ""
        self._before = request
        return how

    def _read(self) -> tuple[str, str]:
        self._seen = stat_of(f"{self._path}")  # before it is read: a later request is read again
        with contextlib.suppress(OSError):
            match records.parse(durable.read_file(self._path)):
                case {"how": str(how), "id": str(request)}:
                    return request, how
        return "", ""
