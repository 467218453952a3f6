"""``status.json`` says how the last attempt stands, and ``attempts.jsonl`` how those before it ended."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records
from orchestrator.rundir.state import Status, Unreadable
from orchestrator.rundir.torn_line import end_last_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STATUS: Final = "status.json"
_EARLIER: Final = "attempts.jsonl"


def read_status(run_dir: str) -> Status | Unreadable | None:
    """Return the status that the last attempt wrote; None if there was no attempt.

    Raises:
        OSError: This process is out of descriptors or memory.
    """
    try:
        return records.parse_status(durable.read_file(f"{run_dir}/{STATUS}"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if durable.is_shortage(error):
            raise
        return Unreadable(error.strerror or str(error), durable.is_refusal(error))


def write_status(run_dir: Path, status: Status, *, named: bool) -> None:
    """Replace the status, durably, and keep an unreadable one and those of earlier attempts.

    Requires the lock. ``named`` is as for ``durable.write_file``.

    Raises:
        OSError: It cannot be written.
    """
    before = read_status(f"{run_dir}")
    if isinstance(before, Unreadable):
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        (run_dir / STATUS).rename(run_dir / f"{STATUS}.unreadable-{moment}")
    elif before is not None and before.attempt < status.attempt:
        _keep(run_dir, before)
    durable.write_file(run_dir / STATUS, records.dump_status(status), named=named)


def _keep(run_dir: Path, status: Status) -> None:
    """Append the status of an attempt that is over; if that is impossible, it is forgotten."""
    line = records.dump_status_line(status)
    end_last_line(run_dir / _EARLIER)
    with contextlib.suppress(OSError):
        descriptor, found = durable.open_below(run_dir, _EARLIER, append=True)
        try:
            if os.write(descriptor, line) < len(line):  # the disk is full
                os.ftruncate(descriptor, found.st_size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_earlier(run_dir: Path) -> Mapping[int, Status]:
    """Return how the attempts before the last one stood when the next one began, by their numbers.

    There is none of an attempt of an earlier version, which kept no such file.
    """
    found: dict[int, Status] = {}
    with contextlib.suppress(OSError):
        for lines in durable.read_lines(run_dir / _EARLIER):
            for status in map(records.parse_status, lines.splitlines()):
                if isinstance(status, Status):
                    found[status.attempt] = status
    return found
