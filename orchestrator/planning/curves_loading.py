"""Reads the learning curves of the runs in rows of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.planning.learning_curves import is_drawn
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.run_metrics import read_curves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.planning.learning_curves import Curve
    from orchestrator.planning.results_table import Row


def read_curves_of(rows: Iterable[Row]) -> dict[str, Mapping[str, Curve]]:
    """Return the curves of each run that is drawn, by its path and by metric."""
    members = (run for row in rows for _, run in row.members)
    return {
        run.path: read_curves(RunDirectory(Path(run.path)).metrics)
        for run in members
        if run.path and is_drawn(run)
    }
