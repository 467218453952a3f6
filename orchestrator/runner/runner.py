"""The runner: the process that carries out one attempt and records how it ended.

Every launcher starts the same runner, so one place takes the lock, writes ``status.json`` and keeps
the output. The program inherits the locked descriptor: the run counts as running until the last
process of the attempt has ended, even if the runner dies first.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir import code_record, durable
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.sharing_hosts import this_host
from orchestrator.rundir.state import Failure, Observation, Record, State, Status
from orchestrator.runner import memory_size, mlflow_variables, process_tree, project_files
from orchestrator.runner.attempt_program import HASH_SEED, STOP_SIGNAL, Cut, Ending, hash_seed
from orchestrator.runner.composed_config_check import find_mismatch
from orchestrator.runner.dropped_rank_variables import without_ranks
from orchestrator.runner.failure_classes import LOST, UNLOCKED, FailureKind, Traces, classify
from orchestrator.runner.gpu_meter import combine_peaks
from orchestrator.runner.output import CappedLog, Pipe, up_to
from orchestrator.runner.pause_at_iteration import judge_pause, read_pause
from orchestrator.runner.placement_variables import own_gpu, own_slot
from orchestrator.runner.runner_guard import Begun, Keeper
from orchestrator.runner.supervisor import Supervisor
from orchestrator.runner.unknown_senders import judge_unknown_sender

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.rundir.mlflow_run_request import Answer
    from orchestrator.runner.attempt_program import Program
    from orchestrator.runner.incoming_signals import IncomingSignals
    from orchestrator.runner.time_limits import Limits


class Verdict(IntEnum):
    """The runner's own exit code: what became of the attempt."""

    DONE = 0
    FAILED = 1
    INTERRUPTED = 3
    NOT_OURS = 4  # another orchestrator runs it, or has run it since this one planned


@dataclass(frozen=True, slots=True)
class Links:
    """What connects a runner to the processes above it.

    Its ``signals`` ask it to stop the program, SIGQUIT to kill it.
    """

    keeper: Keeper = field(default_factory=Keeper)
    signals: IncomingSignals | None = None


class Runner:
    """Carries out one attempt of one run."""

    def __init__(
        self,
        directory: RunDirectory,
        attempt: int,
        program: Program,
        limits: Limits,
        links: Links | None = None,
    ) -> None:
        self._directory = directory
        self._attempt = attempt
        self._program = program
        self._limits = limits
        links = links or Links()
        self._keeper = links.keeper
        self._watch = Supervisor(program, directory, limits, own_gpu(), links.signals)

    def carry_out(self) -> Verdict:
        """Take the lock, check the state again, run the program and record how it ended.

        Raises:
            OSError: The run directory is gone, or the status cannot be written.
            RunDirectoryError: The lock or the directory was replaced by something else.
        """
        lock = self._directory.lock.open()
        try:
            return self._carry_out(lock)
        finally:
            self._keeper.release()
            os.close(lock)

    def _carry_out(self, lock: int) -> Verdict:
        if not self._directory.lock.take(lock):
            return Verdict.NOT_OURS
        # Check again: another orchestrator may have run it since this one planned.
        seen = self._directory.observe_locked()
        if seen.damage:  # it may have finished, and nobody can tell now
            raise RunDirectoryError(seen.damage)
        if seen.attempts != self._attempt - 1 or seen.state in {State.DONE, State.UNPROVEN}:
            return Verdict.NOT_OURS
        host = this_host()
        status = Status(
            record=Record.RUNNING,
            attempt=self._attempt,
            started_at=now(),
            host=host.name,
            pid=os.getpid(),
            slot=own_slot(),
            gpu=own_gpu(),
            resumed_at=seen.saved,
            boot_id=host.boot_id or None,
            node=host.node or None,
            job=os.environ.get("SLURM_JOB_ID"),
            lost=seen.lost,
        )
        if self._attempt > 1:
            before = self._directory.attempt_log(self._attempt - 1)
            self._watch.recover_metrics(before, continues=False)
        answer = mlflow_variables.ask(self._directory, status, self._watch.was_asked)
        ended = self._run_program(lock, status, answer, seen)
        return record(self._directory, ended, lock)

    def _run_program(self, lock: int, status: Status, answer: Answer, seen: Observation) -> Status:
        """Run the program to its end and return the status to record.

        The status ``running`` is recorded before the program's own code starts.
        """
        run_dir = self._directory.path.resolve()
        process_tree.adopt_orphans()
        kills, signs = self._watch.oom_kills.before, self._directory.signs_of_the_end()
        pause = read_pause(self._directory, seen)
        begun = Begun(run_dir, self._program.plain, self._limits, status, kills, signs, *pause)
        with Pipe() as output:
            self._keeper.begin(begun, lock, output.reading)
            try:
                environment = self._environment(run_dir, lock, answer.mlflow_run_id)
                ready = self._program.prepare(environment, output, lock)
            except OSError as error:
                return self._not_started(status, error)
            try:
                self._directory.write_status(status, named=False)
            except BaseException:
                ready.drop()
                raise
            with CappedLog(self._directory.attempt_log(self._attempt)) as log:
                if answer.problem:
                    log.add(f"orch: MLFLOW_RUN_ID is not set: {answer.problem}\n".encode())
                told = os.environ.get(code_record.VARIABLE, "")
                code_record.begin(run_dir, self._attempt, told, project_files.preloaded())
                try:
                    started = ready.start()
                except OSError as error:
                    return self._not_started(status, error)
                self._keeper.started(started.pid)
                output.close_writing()
                # Synced while the program loads: it has nothing to lose yet. A disk error occurs
                # again when the end is recorded.
                with contextlib.suppress(OSError):
                    durable.sync_directory(run_dir)
                    durable.sync_directory(run_dir.parent)
                ending = self._watch.over(started, lock, output, log, self._keeper.ended)
        told = getattr(started, "error", "")  # only a function tells its error
        ending = replace(ending, has_raised=bool(told))
        return judge_attempt(self._directory, begun, ending, up_to(told, log.tail_text))

    def _environment(self, run_dir: Path, lock: int, mlflow_run_id: str) -> dict[str, str]:
        """Return the environment of the program, which describes its run."""
        environment = mlflow_variables.with_variables(without_ranks(os.environ), mlflow_run_id)
        environment.pop(code_record.VARIABLE, None)
        return {
            **environment,
            HASH_SEED: hash_seed(),
            "ORCH_RUN_DIR": str(run_dir),
            "ORCH_RUN_ID": self._directory.run_id,
            "ORCH_ATTEMPT": str(self._attempt),
            "ORCH_EXPERIMENT": run_dir.parent.parent.name,
            "ORCH_LOCK_FD": str(lock),
            STOP_SIGNAL: self._limits.stop.signal.name,
        }

    def _not_started(self, status: Status, error: OSError) -> Status:
        failure = Failure(
            FailureKind.ERROR, f"cannot start {self._program.name!r}: {error.strerror}"
        )
        return replace(status, record=Record.FAILED, failure=failure)


_VERDICTS: Final = {
    Record.DONE: Verdict.DONE,
    Record.FAILED: Verdict.FAILED,
    Record.INTERRUPTED: Verdict.INTERRUPTED,
}
_OWN_REQUEST: Final = "one of its own processes asked its runner to stop it, as kill $PPID does"
_NO_RESULTS: Final = Failure(
    FailureKind.ERROR,
    "it exited with code 0 before it had written its results: code of the run ended the process",
)


def judge_attempt(
    directory: RunDirectory, begun: Begun, ending: Ending, output_tail: str
) -> Status:
    """Decide what the end of an attempt means, from all that it left."""
    status = replace(begun.status, exit_code=ending.exit_code, seconds=begun.seconds)
    reported = directory.read_progress()
    if status.gpu:
        reserved = reported.gpu_memory_reserved if reported else None
        status = replace(status, gpu_memory=combine_peaks(ending.gpu_memory, reserved))
    if ending.exit_code == 0 and not ending.has_raised:
        if ending.cut is None and (paused := judge_pause(directory, begun, status, reported)):
            return paused
        if _has_finished(directory, begun, ending):
            return _done_unless_mismatched(begun, status, reported.early_end if reported else None)
        if ending.cut is None:
            return replace(status, record=Record.FAILED, failure=_NO_RESULTS)
    traces = Traces(
        output_tail,
        reported.metrics if reported else {},
        memory_ran_out=ending.memory_ran_out,
        is_trainer=begun.program.leaves_results,
        machine_memory=memory_size.measure(),
    )
    if ending.cut is Cut.UNKNOWN:
        return judge_unknown_sender(directory, status)
    return _judge_failure(status, ending, begun.limits, traces)


def _done_unless_mismatched(begun: Begun, status: Status, reason: str | None) -> Status:
    if mismatch := find_mismatch(RunDirectory(begun.run_dir), begun.program.arguments):
        failure = Failure(FailureKind.CONFIG_MISMATCH, mismatch)
        return replace(status, record=Record.FAILED, failure=failure)
    return replace(status, record=Record.DONE, reason=reason)


def _has_finished(directory: RunDirectory, begun: Begun, ending: Ending) -> bool:
    """Return whether exit code 0 means that the run is done.

    A program that was asked to stop, and exits with code 0, may have saved its state or nothing at
    all. It is done only if it has completed its progress or written results in this attempt.
    """
    (progress, results), now = begun.signs, directory.signs_of_the_end()
    has_results = bool(now[1]) and now[1] != results
    if begun.program.leaves_results:
        return has_results
    if has_results or ending.cut is None or begun.limits.stop.zero_is_done:
        return True
    reported = directory.read_progress() if now[0] != progress else None
    return reported is not None and reported.is_complete


def record(directory: RunDirectory, ended: Status, lock: int) -> Verdict:
    """Record how an attempt ended, in the directory that it was started in.

    Raises:
        OSError: The status cannot be written.
        RunDirectoryError: The directory was removed or replaced.
    """
    why = UNLOCKED if directory.lock.is_lost(lock) else LOST
    if why is UNLOCKED or not directory.lock.is_of(lock):
        raise RunDirectoryError(f"{directory.path}: {why}")
    code = code_record.digest_of(directory.path)
    directory.write_status(replace(ended, ended_at=now(), code=code))
    return _VERDICTS[ended.record]


def _judge_failure(status: Status, ending: Ending, limits: Limits, traces: Traces) -> Status:
    """Return the status of a run that is not done.

    Only a program that was asked to stop is interrupted: one that ends so by itself, or has asked its
    own runner, has failed.
    """
    failure = None
    if ending.cut is Cut.TIMEOUT:
        failure = Failure(FailureKind.TIMEOUT, f"it took longer than {limits.timeout:g} s")
    elif ending.cut is Cut.NO_PROGRESS:
        failure = Failure(
            FailureKind.NO_PROGRESS, f"no sign of progress for {limits.no_progress:g} s"
        )
    elif ending.cut is Cut.OWN:
        failure = Failure(FailureKind.ERROR, _OWN_REQUEST)
    elif ending.cut is Cut.ASKED:
        return replace(status, record=Record.INTERRUPTED, reason="it was asked to stop")
    return replace(
        status, record=Record.FAILED, failure=failure or classify(ending.exit_code or 1, traces)
    )


def work(
    directory: RunDirectory, attempt: int, program: Program, limits: Limits, links: Links
) -> tuple[Verdict, str]:
    """Carry out an attempt in this process; return the verdict, and the error, if any."""
    try:
        return Runner(directory, attempt, program, limits, links).carry_out(), ""
    except (OSError, RunDirectoryError) as error:
        return Verdict.FAILED, str(error)
