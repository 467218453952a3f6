"""The runs that ``orch results``, ``orch plot`` and ``orch report`` compare: those a command line names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.cli.lookup import names_a_run, source_of
from orchestrator.cli.results_notes import HOW_TO_REPORT
from orchestrator.cli.run_choice import meeting, plan_meeting
from orchestrator.cli.tables import count_of
from orchestrator.errors import UsageError
from orchestrator.grid.config_values import look_up
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.planning.load import Planned, open_experiment
from orchestrator.planning.results_loading import last_common_step, pending_results, read_results
from orchestrator.planning.results_table import ResultsTable, compare
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from orchestrator.config.load import ExperimentConfig
    from orchestrator.planning.run_results import RunResults
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory

_COMMON: Final = "common"
_METRIC: Final = "checkpoint.metric"
_MODE: Final = "checkpoint.mode"


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """The runs to compare, and the iteration to compare them at; None: at their end.

    ``metric`` and ``mode`` are the first run's ``checkpoint.metric`` and ``checkpoint.mode``, ``others``
    is the number of other runs in the folder. ``planned`` is None if all runs of the experiment are
    compared.
    """

    runs: Sequence[RunResults]
    step: int | None
    metric: str | None
    mode: str | None
    described: ExperimentConfig
    experiment: ExperimentDirectory
    others: int = 0
    planned: Planned | None = None

    @property
    def is_pending(self) -> bool:
        """Whether none of the runs has started."""
        return all(run.state is State.PENDING for run in self.runs)


def choose_compared_runs(options: argparse.Namespace) -> ComparedRuns:
    """Read the results of the runs that a command line names.

    Raises:
        UsageError: ``--at`` is wrong, or no run has any metrics.
        OrchestratorError: The config, the grid, or the condition is wrong.
    """
    described, experiment = open_experiment(source_of(options))
    standing = experiment.standing()
    if options.all or not (described.axes or names_a_run(options.overrides)):
        exclude = described.settings.identity_exclude
        if options.only is not None:
            standing = meeting(parse_condition(options.only, "--where"), standing)
        step = _step(options.at, standing)
        runs = [read_results(each, exclude=exclude, step=step) for each in standing]
        config = next((run.config.leaves for run in runs if run.config), {})
        metric, mode = (_text(config.get(key)) for key in (_METRIC, _MODE))
        return ComparedRuns(runs, step, metric, mode, described, experiment)
    condition = None if options.only is None else parse_condition(options.only, "--where")
    planned = plan_meeting(described, experiment, condition)
    decisions, there = planned.plan.decisions, {each.run_id: each for each in standing}
    named = [there[decision.run.run_id] for decision in decisions if decision.run.run_id in there]
    step = _step(options.at, named)
    axes_suffice = planned.described.span.are_simple
    exclude = described.settings.identity_exclude
    runs = [
        read_results(
            there[run.run_id],
            axes=run.overrides if axes_suffice else None,
            exclude=exclude,
            step=step,
        )
        if run.run_id in there
        else pending_results(run, exclude, axes_suffice=axes_suffice)
        for run in (decision.run for decision in decisions)
    ]
    first = decisions[0].run.config if decisions else {}
    metric, mode = (_text(look_up(first, key)) for key in (_METRIC, _MODE))
    others = len(there) - len(named)
    return ComparedRuns(runs, step, metric, mode, described, experiment, others, planned)


def compare_as_asked(found: ComparedRuns, options: argparse.Namespace) -> ResultsTable:
    """Return the table of results that the options ask for, with all its rows and metrics.

    Raises:
        UsageError: There is no such axis or metric.
    """
    if options.sort and found.others and not any(run.metrics for run in found.runs):
        raise UsageError(
            f"--sort {options.sort}: no run of this grid has results. --all compares the"
            f" {count_of(found.others, 'other run')} of the experiment."
        )
    return compare(found.runs, options.over, options.sort, each=options.runs, mode=found.mode)


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
            raise UsageError(
                "--at common: no run has reported a metric so far. Start them with orch run;"
                f" {HOW_TO_REPORT}."
            )
        return step
    if not at.isascii() or not at.isdigit():
        raise UsageError(f"--at is {at!r}. Set it to an iteration, or to common.")
    return int(at)
