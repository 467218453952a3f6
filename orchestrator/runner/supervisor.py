"""The supervisor: watches the program of an attempt until the last of its processes has ended.

It reads the program's output, enforces the limits, passes requests to stop on, and ends the processes
that the program leaves behind. It decides nothing about the run: it returns an ``Ending``.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import time
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.torn_line import end_last_line
from orchestrator.runner import process_tree
from orchestrator.runner.attempt_program import Cut, Ending
from orchestrator.runner.gpu_meter import GpuMeter
from orchestrator.runner.incoming_signals import request_of
from orchestrator.runner.mps_clients import MpsClients
from orchestrator.runner.oom_kills import OomKills
from orchestrator.runner.orphaned_stop_requests import UnheardRequests
from orchestrator.runner.output import read_tail
from orchestrator.runner.output_metrics import OutputMetrics
from orchestrator.runner.unknown_senders import asker_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.runner.attempt_program import Program, StartedProgram
    from orchestrator.runner.incoming_signals import IncomingSignals
    from orchestrator.runner.output import CappedLog, Pipe
    from orchestrator.runner.time_limits import Limits

_TICK: Final = 1.0
_TICK_BEHIND: Final = 0.5  # while the log is behind the output
_STACKS_TAKE: Final = 0.2  # seconds to write the stacks
_TICK_LAST: Final = 0.02  # while leftover processes live
# Leftover processes, such as loader workers or an upload, may finish their work.
_LEFTOVER_GRACE: Final = 5.0
_LAST_GRACE: Final = 1.0
_NO_METRICS: Final = b"orch: no line of the output matched orch.metrics_from_output\n"
_AT_ONCE: Final = (Cut.LOST, Cut.UNLOCKED)  # another process may execute the run already


class Supervisor:
    """Supervises one program, from before its start to the end of its last process."""

    def __init__(
        self,
        program: Program,
        directory: RunDirectory,
        limits: Limits,
        gpus: str | None = None,
        signals: IncomingSignals | None = None,
    ) -> None:
        self._program = program
        self._signals = signals
        self._meter = GpuMeter(gpus)
        self.oom_kills = OomKills()
        self._mps_clients = MpsClients()
        self._directory = directory
        self._limits = limits
        self._requests = UnheardRequests(directory.path)
        self._metrics = None
        if patterns := program.metric_patterns:
            self._metrics = OutputMetrics(patterns, directory.metrics)
        self._lock = -1
        self._started: StartedProgram | None = None
        self._cut: Cut | None = None
        self._asker: Cut | None = None  # the cut that a request stands for
        self._request: signal.Signals | None = None
        self._exit_code: int | None = None
        self._is_cut = False  # by a limit
        self._ask_at = self._ask_all_at = self._kill_all_at = inf
        self._seen: tuple[object, ...] = ()
        self._seen_at = self._began_at = time.monotonic()

    def recover_metrics(self, log: Path, *, continues: bool) -> None:
        """Record the metrics that a killed process had logged, but not recorded, while locked.

        ``continues``: the log is that of this attempt, whose program may be writing, not of the one before.
        """
        if not continues:
            end_last_line(self._directory.metrics)
        if self._metrics:
            end, is_whole = read_tail(log)
            self._metrics.recover(end, is_whole=is_whole, continues=continues)

    def ask(
        self, request: signal.Signals, asker: Cut = Cut.ASKED, *, is_known: bool = False
    ) -> None:
        """Ask the program to stop (SIGTERM), or kill it and its descendants (SIGKILL).

        ``is_known``: the program may have heard of the request already.
        """
        self._asker = self._asker or asker
        if is_known:
            self._cut = self._cut or asker
        if self._request is None:
            self._kill_all_at = min(self._kill_all_at, time.monotonic() + self._limits.stop.grace)
        # Signals that arrive together are taken in the order of their numbers: a kill stays one.
        if self._request != signal.SIGKILL:
            self._request = request
        if self._started is not None:
            self._pass_on(self._started)

    def was_asked(self) -> bool:
        """Return whether the program is to end, although it may not have been started yet."""
        self._take_signals()
        return self._request is not None

    def over(
        self,
        started: StartedProgram,
        lock: int,
        output: Pipe,
        log: CappedLog,
        note: Callable[[Ending], object] = bool,
    ) -> Ending:
        """Supervise a started program until all of its processes have ended.

        ``note`` is called with its ending before the program is reaped.
        """
        self._seen_at = self._began_at = time.monotonic()
        self._lock = lock
        self._meter.begin(self._began_at)
        self._started = started
        if self._request:  # it may have arrived before the program was started
            self._pass_on(started)
        with selectors.DefaultSelector() as selector, process_tree.end_of(started.pid) as end:
            selector.register(output, selectors.EVENT_READ)
            selector.register(end, selectors.EVENT_READ)
            if self._signals:
                selector.register(self._signals, selectors.EVENT_READ)
            while self._exit_code is None or process_tree.reap():
                ready = [key.fileobj for key, _ in selector.select(self._pause(log))]
                self._take_signals()  # before a sender is reaped that is one of the program's
                for each in ready:
                    if each is output:
                        if not self._capture(output, log):
                            selector.unregister(output)
                    elif each == end:
                        note(self._ending(process_tree.exit_code_of(started.pid)))
                        self._exit_code = started.wait()
                        selector.unregister(end)
                        self._give_the_rest_time()
                log.catch_up()
                self._enforce(started)
                if self._metrics:
                    self._metrics.write_quiet()
        self._end_output(output, log)
        return self._ending(self._exit_code)

    def over_the_rest(self, ending: Ending, lock: int, output: Pipe, log: CappedLog) -> Ending:
        """Supervise the leftover processes of a program that has ended, until they have ended."""
        self._exit_code, self._lock = ending.exit_code, lock
        # A request that came after it had succeeded did not end it.
        self._cut = ending.cut or (self._cut if ending.exit_code else None)
        self._give_the_rest_time()
        while process_tree.reap():
            select.select([output], [], [], _TICK_LAST)
            self._take_signals()
            self._capture(output, log)
            log.catch_up()
            self._end_the_rest(time.monotonic())
        self._end_output(output, log)
        return Ending(ending.exit_code, self._cut, ending.gpu_memory, ending.memory_ran_out)

    def _ending(self, exit_code: int) -> Ending:
        return Ending(exit_code, self._cut, self._meter.peak, self.oom_kills.are_recent())

    def _pause(self, log: CappedLog) -> float:
        if self._exit_code is not None:
            return _TICK_LAST
        moment = time.monotonic()
        ends = (
            self._began_at + self._limits.timeout,
            self._seen_at + self._limits.no_progress,
            self._ask_at,
            self._kill_all_at,
        )
        due = min((end - moment for end in ends if end > moment), default=_TICK)
        return min(_TICK_BEHIND if log.is_behind else _TICK, due)

    def _capture(self, output: Pipe, log: CappedLog) -> bool:
        """Log the available output; return whether there may be more."""
        piece = output.read()
        if piece:
            log.add(piece)
            if not any(self._seen):  # output counts as progress if nothing else is reported
                self._seen_at = time.monotonic()
        if self._metrics:  # after the log, from which they are recovered if this process is killed
            self._metrics.feed(piece or b"")
        return piece != b""

    def _end_output(self, output: Pipe, log: CappedLog) -> None:
        """Take the last output, and say if it should have had metrics."""
        self._capture(output, log)
        if self._metrics:
            self._metrics.close()
            if not (self._metrics.found_any or self._exit_code):
                log.add(_NO_METRICS)

    def _enforce(self, started: StartedProgram) -> None:
        moment = time.monotonic()
        process_tree.reap(besides=started.pid)
        self.oom_kills.look(moment)
        taken = self._meter.look(moment)
        if self._limits.stretched:
            self._began_at, self._seen_at = self._began_at + taken, self._seen_at + taken
        if (request := self._requests.due(moment)) and request != self._request:
            self.ask(request)
        # A program that was asked to stop has the same limits as any other.
        if self._exit_code is None and not self._is_cut and (why := self._look(moment)):
            self._is_cut = True
            self._cut = why if self._cut is None or why in _AT_ONCE else self._cut
            if why in _AT_ONCE:
                self._kill_all_at = moment
            else:
                self._ask_at = moment
                # Before the signal that may kill it.
                if self._program.tells_its_stacks and self._limits.stop.signal != signal.SIGUSR1:
                    _signal(os.kill, started.pid, signal.SIGUSR1)
                    self._ask_at += _STACKS_TAKE
                self._kill_all_at = min(self._kill_all_at, self._ask_at + self._limits.grace)
        if moment >= self._ask_at and self._exit_code is None:
            self._ask_at, self._request = inf, signal.SIGTERM
            self._pass_on(started)
        self._end_the_rest(moment)

    def _end_the_rest(self, moment: float) -> None:
        if moment >= self._ask_all_at:
            self._ask_all_at = inf
            process_tree.send(signal.SIGTERM)
        if moment >= self._kill_all_at:
            self._kill()

    def _look(self, moment: float) -> Cut | None:
        """Return why the program has to be ended, or None if it may continue."""
        signs = self._directory.signs_of_progress()
        if signs != self._seen:
            self._seen, self._seen_at = signs, moment
        if not self._directory.lock.is_of(self._lock):
            return Cut.LOST
        if self._directory.lock.is_lost(self._lock):
            return Cut.UNLOCKED
        if moment >= self._began_at + self._limits.timeout:
            return Cut.TIMEOUT
        if moment >= self._seen_at + self._limits.no_progress:
            return Cut.NO_PROGRESS
        return None

    def _take_signals(self) -> None:
        for number, sender in self._signals.take() if self._signals else ():
            self.ask(request_of(number), asker_of(sender))

    def _pass_on(self, started: StartedProgram) -> None:
        if not self._has_succeeded():  # or it ended before it could hear of the request
            self._cut = self._cut or self._asker
        if self._request == signal.SIGKILL:
            self._kill_all_at = time.monotonic()
            self._kill()
        else:
            send = os.killpg if self._program.asked_as_group else os.kill
            _signal(send, started.pid, self._limits.stop.signal)

    def _has_succeeded(self) -> bool:
        """Return whether the program has ended with exit code 0, reaped or not."""
        if self._exit_code is None and self._started is not None:
            return process_tree.has_succeeded(self._started.pid)
        return self._exit_code == 0

    def _give_the_rest_time(self) -> None:
        """Set when leftover processes are asked to stop, and when they are killed."""
        moment = time.monotonic()
        if self._cut is not None:  # it may still be saving: a shell ends before its children
            self._ask_all_at = moment
            self._kill_all_at = min(self._kill_all_at, moment + self._limits.grace)
        elif (self._exit_code or 0) < 0:  # the workers of a killed trainer have nothing to finish
            self._kill_all_at = moment
        else:
            self._ask_all_at = moment + _LEFTOVER_GRACE
            self._kill_all_at = self._ask_all_at + _LAST_GRACE

    def _kill(self) -> None:
        if self._mps_clients.are_possible:
            self._mps_clients.end(process_tree.below(os.getpid()))
        process_tree.send(signal.SIGKILL)


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        send(pid, number)
