"""``orch rm``: removes the run directories of single runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.json_text import write_json
from orchestrator.cli.lookup import source_of
from orchestrator.cli.removals import tell_removals
from orchestrator.cli.run_choice import choose_runs, refuse_contradictions, separate_runs
from orchestrator.cli.run_json import removals_as_json
from orchestrator.cli.status_table import print_status
from orchestrator.cli.tables import pronoun_of
from orchestrator.cli.waiting_notices import tell_waiting
from orchestrator.planning.load import open_experiment
from orchestrator.planning.named_reports import name_reports
from orchestrator.rundir.run_summary import report_on
from orchestrator.rundir.state import State
from orchestrator.rundir.survivors import Survivors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.run_summary import Report


def rm(options: argparse.Namespace, console: Console) -> int:
    """Show the chosen runs; with ``--yes`` remove those that are not live."""
    separate_runs(options)
    described, experiment = open_experiment(source_of(options))
    survivors = Survivors()
    directories = [_find(experiment, it) for it in choose_runs(options, experiment)]
    if options.runs:
        refuse_contradictions(described, directories)
    reports = [report_on(it, survivors) for it in directories]
    left = {}
    if options.yes:
        reasons = ((it.run_id, experiment.remove(it.run_id, tell_waiting)) for it in reports)
        left = {run_id: reason for run_id, reason in reasons if reason}
    if options.json:
        runs = removals_as_json(reports, left, removed=options.yes)
        write_json(console, {"schema": 1, "runs": runs}, indent=2)
    elif options.yes:
        tell_removals(reports, left, experiment, console)
    else:
        print_status(name_reports(reports, experiment), console)
        console.print(Text(_preview(reports)))
    return ExitCode.LEFT if left else 0


def _preview(reports: Sequence[Report]) -> str:
    """Say what would be removed; live runs are kept."""
    live = sum(report.seen.state is State.RUNNING for report in reports)
    if live == len(reports):
        return f"{'It is' if live == 1 else 'They are'} running: nothing would be removed."
    gone = len(reports) - live
    what = "This run" if len(reports) == 1 else f"These {len(reports)} runs"
    if live:
        what = f"{gone} of these {len(reports)} runs"
    but = f", not {'the one' if live == 1 else f'the {live}'} that {'is' if live == 1 else 'are'} running"
    return f"{what} would be removed{but if live else ''}: --yes removes {pronoun_of(gone)} permanently."


def _find(experiment: ExperimentDirectory, run_id: RunId) -> RunDirectory:
    """Return the directory of a run, or what a rerun keeps of it if there is nothing else."""
    directory = experiment.run(run_id)
    return directory if directory.path.exists() else experiment.replaced.kept(run_id)
