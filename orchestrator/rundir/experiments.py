"""The experiments below a folder: finds them by their run directories, without a config."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir.directory import IDENTITY
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.program_files import METRICS, PROGRESS, stat_of
from orchestrator.rundir.state import State
from orchestrator.rundir.status_file import STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from orchestrator.grid.identity import RunId

_DEEPEST: Final = 3  # project/results/experiment
_MOST: Final = 2000  # folders to look into; a data set may have millions of files


@dataclass(frozen=True, slots=True)
class ExperimentSummary:
    """An experiment in one line: its runs by state, and when one of them last did something.

    ``last_activity`` is in ISO 8601, or None without runs. ``problem`` says why its runs are unknown,
    if its folder cannot be read.
    """

    experiment: ExperimentDirectory
    states: Mapping[State, int]
    is_executed: bool
    last_activity: str | None
    problem: str = ""


def find_experiments(folder: Path, *, depth: int = _DEEPEST) -> list[ExperimentDirectory]:
    """Return the experiments that have runs at a folder and up to ``depth`` folders below, by path.

    Links and hidden folders are not followed, nor are the folders of an experiment.
    """
    found, left = [], _MOST
    below = [(folder, 0)]
    while below and left > 0:
        path, level = below.pop(0)
        left -= 1
        named = path if path.name not in ("", "..") else path.resolve()
        experiment = ExperimentDirectory(named.parent, named.name)
        if _has_runs(experiment):
            found.append(experiment)
        elif level < depth:
            below += [(each, level + 1) for each in _folders_in(path)]
    return sorted(found, key=lambda each: str(each.path))


def _has_runs(experiment: ExperimentDirectory) -> bool:
    try:
        return experiment.training.is_dir() and bool(experiment.run_ids())
    except RunDirectoryError:  # it may have some, which cannot be read
        return True
    except OSError:  # a folder of somebody else, with whatever is in it
        return False


def _folders_in(path: Path) -> Iterator[Path]:
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    yield from (path / name for name in names if not name.startswith("."))


def summarize(
    experiment: ExperimentDirectory, states: Mapping[RunId, State] | None = None
) -> ExperimentSummary:
    """Return the summary of an experiment; ``states`` are those of its runs, if they are known."""
    is_executed = experiment.is_executed()  # before the states: they are final if it is not
    if states is None:
        try:
            seen = experiment.observe(experiment.run_ids())
        except RunDirectoryError as error:
            return ExperimentSummary(experiment, Counter(), is_executed, None, str(error))
        states = {run_id: each.state for run_id, each in seen.items()}
    changes = (_last_change(f"{experiment.training}/{it}", states[it]) for it in states)
    newest = max(changes, default=0)
    moment = datetime.fromtimestamp(newest / 1e9, UTC).isoformat(timespec="seconds")
    return ExperimentSummary(
        experiment, Counter(states.values()), is_executed, moment if newest else None
    )


def _last_change(run_dir: str, state: State) -> int:
    """Return when a run last did something, in ns: files are replaced or appended to then."""
    names = (STATUS,) if state is State.DONE else (STATUS, PROGRESS, METRICS, IDENTITY)
    return max((stat[-1] for name in names if (stat := stat_of(f"{run_dir}/{name}"))), default=0)
