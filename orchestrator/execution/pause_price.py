"""The price of a pause: what attempts that pause take beyond their iterations.

That is starting, loading the checkpoint, saving it and ending. The time of the iterations is that
between their points in ``metrics.jsonl``, so it takes an attempt of at least two.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from orchestrator.execution.events import Pauses
from orchestrator.rundir.run_metrics import read_times

if TYPE_CHECKING:
    from orchestrator.execution.live_attempts import Running
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Progress


class PausePrice:
    """Measures the pauses of an execution."""

    def __init__(self) -> None:
        self._attempts: list[tuple[float, int]] = []  # seconds and iterations
        self._paces: list[float] = []  # seconds per iteration

    def note(self, directory: RunDirectory, running: Running, progress: Progress) -> None:
        """Add an attempt that has paused."""
        done = progress.iteration - running.before
        if done < 1:
            return
        self._attempts.append((running.seconds, done))
        times = sorted(read_times(directory.metrics).values())[-done:]
        if len(times) == done > 1:
            self._paces.append((times[-1] - times[0]) / 1000 / (done - 1))

    def pauses(self) -> Pauses:
        """Return what is known of the pauses so far."""
        if not self._paces:
            return Pauses(len(self._attempts))
        pace = statistics.median(self._paces)
        beyond = [max(0.0, seconds - pace * done) for seconds, done in self._attempts]
        return Pauses(len(self._attempts), statistics.median(beyond))
