"""The metrics that a shell's completion offers: those that some runs of an experiment have reported."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.program_files import read_reported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.rundir.run_metrics import Outcome

_MOST: Final = 50  # run directories to look into; a user waits for a key


def find_metrics(folders: Iterable[str], *, with_best: bool, only_curves: bool) -> list[str]:
    """Return the names of metrics, each once, in the order in which runs report them.

    Args:
        folders: Those with the run directories.
        with_best: Include the metric that chose the best iteration, as ``best/...``.
        only_curves: Leave out what runs report at their end only.
    """
    found: dict[str, None] = {}
    for folder in folders:
        for run_dir in _newest_in(folder):
            _, outcome = read_reported(run_dir)
            found |= dict.fromkeys(_names_in(outcome, with_best=with_best, only_curves=only_curves))
    return [*found]


def _newest_in(folder: str) -> list[str]:
    """Return the run directories that were written last, these first."""
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for each in entries:
            if each.is_dir(follow_symlinks=False):
                with suppress(OSError):  # it may be removed meanwhile
                    found.append((each.stat(follow_symlinks=False).st_mtime_ns, each.path))
    return [path for _, path in sorted(found, reverse=True)[:_MOST]]


def _names_in(outcome: Outcome, *, with_best: bool, only_curves: bool) -> list[str]:
    if only_curves:
        return [name for name in outcome.training if name in outcome.figures]
    best = outcome.figures_of_best if with_best else {}
    return [*best, *outcome.figures]
