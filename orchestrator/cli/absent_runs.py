"""What is told of an experiment without runs: its ID or its folder may be misspelt, and others have some."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.experiments import find_experiments
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.rundir.experiment import ExperimentDirectory

_MOST: Final = 3  # experiments that are named


def no_runs_in(experiment: ExperimentDirectory) -> str:
    """Return that an experiment has no runs yet, and which experiments beside it have some."""
    return f"no runs in {experiment.training} yet{experiments_beside(experiment)}"


def experiments_beside(experiment: ExperimentDirectory) -> str:
    """Return which experiments of its folder have runs, in brackets after a space; empty if none has."""
    told = experiments_in(experiment.results_dir, experiment.experiment_id)
    told = told or folder_like(experiment.results_dir)
    return f" ({told})" if told else ""


def folder_like(folder: Path) -> str:
    """Return which folder that is named like one that is not there has runs; empty if none has."""
    if folder.exists() or not folder.parent.is_dir():
        return ""
    names = [each.name for each in folder.parent.iterdir() if each.is_dir()]
    for near in difflib.get_close_matches(folder.name, names, n=_MOST):
        if find_experiments(folder.parent / near, depth=1):
            return f"there are runs in {printable(str(folder.parent / near))}"
    return ""


def experiments_in(folder: Path, name: str) -> str:
    """Return which experiments in a folder have runs, those named alike first; empty if none has."""
    found = [each.experiment_id for each in find_experiments(folder, depth=1)]
    if not found:
        return ""
    near = difflib.get_close_matches(name, found, n=_MOST, cutoff=0.4)
    named = [*dict.fromkeys([*near, *found])][:_MOST]
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return f"there are runs of {printable(', '.join(named))}{more}"
