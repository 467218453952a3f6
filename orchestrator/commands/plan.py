"""``orch plan``: show what ``orch run`` would do, and why. It writes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config import load_experiment
from orchestrator.experiment import ExperimentDirectory
from orchestrator.plan import Plan, make_plan, plan_as_json
from orchestrator.runs import find_places
from orchestrator.selection import select_runs
from orchestrator.tables import print_plan

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, with the folder it is about and the settings to execute it by."""

    plan: Plan
    experiment: ExperimentDirectory
    settings: Settings


def plan(options: argparse.Namespace, console: Console) -> int:
    """Print the plan."""
    planned = load_plan(options)
    if options.json:
        console.file.write(json.dumps(plan_as_json(planned.plan), indent=2) + "\n")
    else:
        print_plan(planned.plan, console, every_run=options.all)
    return 0


def load_plan(options: argparse.Namespace) -> Planned:
    """Read the config, expand the grid, look at the run directories and decide.

    Raises:
        OrchestratorError: The config, the grid, a filter or a folder is wrong.
    """
    described = load_experiment(Path(options.config_dir), options.config_name, options.overrides)
    selection = select_runs(
        described.axes,
        described.composer.families(described.axes),
        described.composer.resolve,
        described.filters,
        described.settings.identity_exclude,
    )
    experiment = ExperimentDirectory(described.results_dir, described.experiment_id)
    existing = {directory.run_id: directory for directory in experiment.runs()}
    named = find_places(selection.runs, existing.keys())
    seen = {run_id: existing[run_id].observe(briefly=True) for run_id in named}
    made = make_plan(described.experiment_id, str(experiment.training), selection, seen)
    return Planned(made, experiment, described.settings)
