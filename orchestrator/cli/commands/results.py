"""``orch results``: the metrics of an experiment by axis, as a table or in a format for other programs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.cli.lookup import names_a_run, source_of
from orchestrator.cli.results_formats import csv_of, latex_of, markdown_of
from orchestrator.cli.results_output import print_comparison
from orchestrator.cli.run_choice import meeting
from orchestrator.cli.safe_output import write
from orchestrator.cli.tables import count_of, note
from orchestrator.errors import UsageError
from orchestrator.grid.config_values import look_up
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.planning.load import open_experiment, plan_runs
from orchestrator.planning.paired_difference import paired_differences
from orchestrator.planning.results_loading import (
    last_common_step,
    read_results,
)
from orchestrator.planning.results_table import (
    choose_columns,
    compare,
    results_as_json,
)
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from orchestrator.planning.paired_difference import PairedDifference
    from orchestrator.planning.results_table import ResultsTable
    from orchestrator.rundir.directory import RunDirectory

_FORMATS: Final = ("json", "csv", "markdown", "latex")
_COMMON: Final = "common"
_MODE: Final = "checkpoint.mode"


def results(options: argparse.Namespace, console: Console) -> int:
    """Print one row per group of runs that differ only in their seed, the best first.

    Raises:
        UsageError: There is no such axis or metric, or two formats are requested.
        OrchestratorError: The config, the grid, or the condition is wrong.
    """
    requested = [name for name in _FORMATS if getattr(options, name)]
    if len(requested) > 1:
        both = " and ".join(f"--{name}" for name in requested)
        raise UsageError(f"{both} exclude each other: they are formats. Choose one.")
    found = _read(options)
    compared = compare(found.runs, options.over, options.sort, each=options.runs, mode=found.mode)
    if options.columns:
        compared = choose_columns(compared, options.columns.split(","))
    if options.top is not None:
        compared = replace(compared, rows=compared.rows[: options.top])
    differences = paired_differences(compared) if options.difference else None
    if options.json:
        told = results_as_json(compared, step=found.step)
        console.file.write(json.dumps(told, indent=2) + "\n")
    elif options.csv:
        write(console, csv_of(compared))
    elif options.markdown:
        write(console, markdown_of(compared))
    elif options.latex:
        write(console, latex_of(compared))
    else:
        _print(compared, differences, found, console)
    return 0


@dataclass(frozen=True, slots=True)
class _ChosenRuns:
    """The runs to compare, and the iteration to compare them at.

    ``mode`` is the first run's ``checkpoint.mode``, ``others`` the number of other runs in the folder.
    """

    runs: Sequence[RunResults]
    step: int | None
    mode: str | None
    folder: Path
    others: int = 0


def _print(
    compared: ResultsTable,
    differences: Sequence[PairedDifference | None] | None,
    found: _ChosenRuns,
    console: Console,
) -> None:
    """Print the table, or why there is none, and how many runs it leaves out."""
    if all(run.state is State.PENDING for run in found.runs):
        if not found.others:
            console.print(f"no runs in {found.folder} yet. Start them with orch run.")
            return
        console.print("No run of this grid has started.")
    else:
        print_comparison(compared, differences, console, step=found.step)
    if found.others:
        those = count_of(found.others, "other run")
        console.print(note(f"{those} of the experiment: --all compares them as well"))


def _read(options: argparse.Namespace) -> _ChosenRuns:
    described, experiment = open_experiment(source_of(options))
    standing = experiment.standing()
    if options.all or not (described.axes or names_a_run(options.overrides)):
        exclude = described.settings.identity_exclude
        if options.only is not None:
            standing = meeting(parse_condition(options.only), standing)
        step = _step(options.at, standing)
        runs = [read_results(each, exclude=exclude, step=step) for each in standing]
        config = next((run.config.leaves for run in runs if run.config), {})
        return _ChosenRuns(runs, step, _text(config.get(_MODE)), experiment.training)
    condition = None if options.only is None else parse_condition(options.only)
    planned = plan_runs(described, experiment, condition)
    decisions, there = planned.plan.decisions, {each.run_id: each for each in standing}
    named = [there[decision.run.run_id] for decision in decisions if decision.run.run_id in there]
    step = _step(options.at, named)
    runs = [
        read_results(there[run.run_id], overrides=run.overrides, step=step)
        if run.run_id in there
        else RunResults(run.overrides, None, run_id=run.run_id, state=State.PENDING)
        for run in (decision.run for decision in decisions)
    ]
    mode = look_up(decisions[0].run.config, _MODE) if decisions else None
    others = len(there) - len(named)
    return _ChosenRuns(runs, step, _text(mode), experiment.training, others)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _step(at: str | None, directories: Sequence[RunDirectory]) -> int | None:
    """Return the iteration that ``--at`` names.

    Raises:
        UsageError: It is neither ``common`` nor an iteration, or no run has any metrics.
    """
    if at is None:
        return None
    if at == _COMMON:
        step = last_common_step(directories)
        if step is None:
            raise UsageError("--at common: no run has any metrics yet. Start them with orch run.")
        return step
    if not at.isascii() or not at.isdigit():
        raise UsageError(f"--at is {at!r}. Set it to an iteration, or to common.")
    return int(at)
