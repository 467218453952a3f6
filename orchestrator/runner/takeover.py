"""The takeover of an attempt whose runner was killed: the keeper ends it, and records the end.

This module is loaded only if that happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, Status
from orchestrator.runner import process_tree
from orchestrator.runner.attempt_program import NOT_CALLED, Orphan
from orchestrator.runner.incoming_signals import IncomingSignals, request_of
from orchestrator.runner.output import CappedLog, Pipe, read_tail
from orchestrator.runner.runner import Verdict, judge_attempt, record
from orchestrator.runner.supervisor import Supervisor

if TYPE_CHECKING:
    from orchestrator.runner.runner_guard import Begun, Kept


def take_over(kept: Kept) -> int:
    """End an attempt whose runner was killed, as its keeper; return the verdict.

    Where its program had not been started, there is nothing to record.
    """
    begun = kept.begun()
    directory = RunDirectory(begun.run_dir)
    signals = IncomingSignals()
    watch = Supervisor(begun.program, directory, begun.limits, begun.status.gpu, signals)
    watch.oom_kills.before = begun.kills  # the kernel may have killed both
    for number in kept.requests:
        watch.ask(request_of(number), is_known=True)
    try:
        return _take_over(kept, begun, directory, watch)
    except (OSError, RunDirectoryError):
        return Verdict.FAILED  # nobody is left to be told; the next orch run sees for itself


def _take_over(kept: Kept, begun: Begun, directory: RunDirectory, watch: Supervisor) -> int:
    ended = kept.ending()
    # It may have been killed between starting the program and telling of it.
    pid = kept.pid or next(iter(process_tree.children()), None)
    if pid is None and ended is None:
        return Verdict.FAILED
    path = directory.attempt_log(begun.status.attempt)
    before = read_tail(path)[0].decode(errors="replace")
    watch.recover_metrics(path, continues=True)
    with Pipe(kept.output) as output, CappedLog(path) as log:
        if ended:
            ending = watch.over_the_rest(ended, kept.lock, output, log)
        else:
            ending = watch.over(Orphan(cast("int", pid)), kept.lock, output, log)
    if not _is_open(directory, begun) or ending.exit_code == NOT_CALLED:
        return Verdict.FAILED
    said = before + log.tail_text
    return record(directory, judge_attempt(directory, begun, ending, said), kept.lock)


def _is_open(directory: RunDirectory, begun: Begun) -> bool:
    """Return whether an attempt is recorded as running: its end is not known yet."""
    seen = directory.read_status()
    if not isinstance(seen, Status):
        return False
    return seen.record is Record.RUNNING and seen.attempt == begun.status.attempt
