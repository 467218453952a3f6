"""Requests to stop a run whose sender is gone: they may have come from the program itself, or not.

``kill`` as a program of its own (``/bin/kill``, ``pkill``) ends as soon as it has sent its signal, so nobody
can look up any more whose process it was. One or two such requests are taken for those of a user. A
program that sends one each time would be interrupted for ever.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.state import Failure, Record
from orchestrator.runner import process_tree
from orchestrator.runner.attempt_program import Cut
from orchestrator.runner.failure_classes import FailureKind

if TYPE_CHECKING:
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Status

ASKED_BY_UNKNOWN: Final = "it was asked to stop by a process that is gone"
MOST_REQUESTS: Final = (
    3  # a run that is interrupted so often in a row, and saves nothing, has failed
)
_PROBABLY_OWN: Final = (
    f"{MOST_REQUESTS} times in a row a process that was gone at once asked its runner to stop it, before it"
    " had saved anything more: probably one of its own, as /bin/kill $PPID does"
)


def asker_of(sender: int) -> Cut:
    """Return the cut that a request of this process stands for; 0: the kernel, or another namespace."""
    if sender in process_tree.below(os.getpid()):
        return Cut.OWN
    return Cut.UNKNOWN if sender and process_tree.is_gone(sender) else Cut.ASKED


def judge_unknown_sender(directory: RunDirectory, status: Status) -> Status:
    """Return the status of an attempt that such a request has ended; requires the lock."""
    asked = replace(status, record=Record.INTERRUPTED, reason=ASKED_BY_UNKNOWN)
    earlier = directory.earlier_attempts()
    before = [
        earlier.get(number) for number in range(status.attempt - MOST_REQUESTS + 1, status.attempt)
    ]
    first = before[0]
    if first is None or any(not each or each.reason != ASKED_BY_UNKNOWN for each in before):
        return asked
    seen = directory.observe_locked()
    if seen.saved > (first.resumed_at or 0) or (
        seen.progress is None and _has_saved(directory, seen.checkpoint, first)
    ):
        return asked
    return replace(asked, record=Record.FAILED, failure=Failure(FailureKind.ERROR, _PROBABLY_OWN))


def _has_saved(directory: RunDirectory, checkpoint: str, first: Status) -> bool:
    """Return whether a checkpoint was written since the first of some attempts began."""
    with suppress(OSError, ValueError):
        began = datetime.fromisoformat(first.started_at).timestamp()
        return bool(checkpoint) and (directory.path / checkpoint).stat().st_mtime >= began
    return False
