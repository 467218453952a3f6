"""Packing: measures the runs on each GPU, and admits others to it by what they need.

What runs need is learned while they run and when they end; ``gpu_admission`` decides.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.execution.cost_model import marks_of
from orchestrator.execution.gpu_admission import SharedGpu, Tenant, fit_together, need_of, refuse
from orchestrator.execution.host_memory import is_scarce
from orchestrator.execution.sharing_pace import SharingPace, Sight
from orchestrator.rundir.state import Record, Status
from orchestrator.runner import process_tree
from orchestrator.runner.failure_classes import FailureKind
from orchestrator.runner.gpu_meter import combine_peaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from orchestrator.execution.peak_memory import PeakMemory
    from orchestrator.execution.slots import Gpu
    from orchestrator.execution.visible_gpus import Gpus
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Progress

_BETWEEN: Final = 0.5  # seconds from one look at a GPU to the next


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A live attempt on a GPU; ``before`` counts the iterations that were saved when it started."""

    directory: RunDirectory
    attempt: int
    point: Mapping[str, Value]
    gpu: Gpu
    since: float
    before: int
    progress: Progress | None

    @property
    def run_id(self) -> RunId:
        """The run's ID."""
        return self.directory.run_id

    @property
    def done(self) -> int:
        """The iterations that it has done."""
        return max(0, self.progress.iteration - self.before) if self.progress else 0


@dataclass(slots=True)
class _Measured:
    """What is known of a live run: the runner's process, the memory used now and at most."""

    attempt: int
    pid: int | None = None
    used: int = 0
    peak: int = 0
    settled_at: float | None = None


@dataclass(slots=True)
class _Card:
    """A GPU as it was last looked at."""

    pace: SharingPace
    looked_at: float = -_BETWEEN
    free: int | None = None
    ended: list[Sight] = field(default_factory=list)


class Packing:
    """Admits runs to GPUs.

    Args:
        gpus: Asks the driver.
        peaks: What finished runs have used; it learns from those that end.
        most: How many runs share a GPU at most.
        is_short: Whether the machine itself is short of memory.
    """

    def __init__(
        self, gpus: Gpus, peaks: PeakMemory, most: int, is_short: Callable[[], bool] = is_scarce
    ) -> None:
        self._gpus = gpus
        self._peaks = peaks
        self._most = most
        self._is_short = is_short
        self._cards: dict[str, _Card] = {}
        self._measured: dict[RunId, _Measured] = {}

    def count_expected(self, gpus: Iterable[Gpu]) -> int:
        """Return how many runs are expected to be executed at once; one per GPU if nothing is known."""
        peak = self._peaks.typical
        if peak is None:
            return len([*gpus])
        return sum(min(self._most, fit_together(gpu.memory, need_of(peak))) for gpu in gpus)

    def refuse(self, gpu: Gpu, point: Mapping[str, Value], live: Sequence[LiveRun]) -> str:
        """Return why a run must not start on a GPU now; an empty string if it may.

        Args:
            gpu: The GPU.
            point: The values of the run on its axes.
            live: All live runs.
        """
        there = [run for run in live if run.gpu == gpu]
        if not there:
            return ""
        card = self._look(gpu, there)
        tenants = [self._tenant(run) for run in there]
        peak = self._peaks.expect(marks_of(point))
        need = None if peak is None else need_of(peak)
        why = refuse(SharedGpu(gpu.memory, card.free, tenants, card.pace.most), need)
        return why or ("the machine is short of memory" if self._is_short() else "")

    def note_end(self, run: LiveRun, status: object, *, shared: bool) -> None:
        """Learn from a run that has ended; ``shared``: others were on its GPU."""
        known = self._measured.pop(run.run_id, None)
        marks = marks_of(run.point)
        card = self._cards.get(run.gpu.uuid)
        if card:
            settled_at = known.settled_at if known else None
            done = max(1, run.done)
            card.ended.append(Sight(run.run_id, marks, run.since, done, settled_at, is_over=True))
        if not isinstance(status, Status):
            return
        kind = status.failure.kind if status.failure else ""
        if kind == FailureKind.OUT_OF_MEMORY and shared:
            self._peaks.doubt(marks)
        elif status.record is Record.DONE and (peak := status.gpu_memory or (known and known.peak)):
            self._peaks.note(marks, peak)

    def _look(self, gpu: Gpu, there: Sequence[LiveRun]) -> _Card:
        """Measure what the runs on a GPU use, if the last time is long enough ago."""
        card = self._cards.setdefault(gpu.uuid, _Card(SharingPace(self._most)))
        moment = time.monotonic()
        if moment - card.looked_at < _BETWEEN and all(
            run.run_id in self._measured for run in there
        ):
            return card
        card.looked_at = moment
        use = self._gpus.use(gpu)
        card.free = use.free if use else None
        by_process = self._gpus.memory_by_process(gpu.uuid)
        for run in there:
            self._measure(run, by_process or {})
        if len(there) == 1 and use and not by_process:  # a container hides processes
            alone = self._measured[there[0].run_id]
            alone.used = max(0, gpu.memory - use.free)
            alone.peak = max(alone.peak, alone.used)
        for run in there:
            self._settle(run, moment)
        card.pace.see([*map(self._sight, there), *card.ended], moment)
        card.ended = []
        return card

    def _measure(self, run: LiveRun, by_process: Mapping[int, int]) -> None:
        found = self._measured.get(run.run_id)
        if found is None or found.attempt != run.attempt:
            found = self._measured[run.run_id] = _Measured(run.attempt)
        if found.pid is None:
            status = run.directory.read_status()
            if isinstance(status, Status) and status.attempt == run.attempt:
                found.pid = status.pid
        pids: Iterable[int] = () if found.pid is None else process_tree.below(found.pid)
        found.used = sum(by_process.get(pid, 0) for pid in pids)
        reserved = run.progress.gpu_memory_reserved if run.progress and run.done else None
        found.peak = max(found.peak, combine_peaks(found.used, reserved) or 0)

    def _settle(self, run: LiveRun, moment: float) -> None:
        """Learn what a run uses once it has completed an iteration: most never use more."""
        found = self._measured[run.run_id]
        if run.done and found.settled_at is None:
            found.settled_at = moment
        if found.settled_at is not None and found.peak:
            self._peaks.note(marks_of(run.point), found.peak, is_final=False)

    def _tenant(self, run: LiveRun) -> Tenant:
        found = self._measured[run.run_id]
        expected = self._peaks.expect(marks_of(run.point))
        known = [each for each in (expected, found.peak) if each]
        is_known = expected is not None or (found.settled_at is not None and found.peak)
        need = need_of(max(known)) if known and is_known else None
        return Tenant(need, found.used, found.settled_at is not None)

    def _sight(self, run: LiveRun) -> Sight:
        found = self._measured[run.run_id]
        return Sight(run.run_id, marks_of(run.point), run.since, run.done, found.settled_at)
