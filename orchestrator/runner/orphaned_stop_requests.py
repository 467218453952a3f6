"""Requests to stop that no orchestrator passes on to a runner: it was killed, or it is stopped."""

from __future__ import annotations

import signal
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.experiment_stop_file import AT_CHECKPOINT, AT_ONCE, StopFile

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE: Final = 3.0  # seconds; a live orchestrator takes a quarter of one to pass a request on
_SIGNALS: Final = {AT_CHECKPOINT: signal.SIGTERM, AT_ONCE: signal.SIGKILL}


class UnheardRequests:
    """Looks at the stop file for a runner, which acts on a request that has stood for seconds."""

    def __init__(self, run_dir: Path) -> None:
        self._file = StopFile(run_dir.parent.parent)
        self._request: signal.Signals | None = None
        self._due_at = inf

    def due(self, moment: float) -> signal.Signals | None:
        """Return the signal that stands for a request which is due, each request once.

        ``moment`` is the time now, in seconds.
        """
        if how := self._file.news():
            self._request, self._due_at = _SIGNALS.get(how), moment + _PATIENCE
        if moment < self._due_at:
            return None
        self._due_at = inf
        return self._request
