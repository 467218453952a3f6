"""``orch prune``: removes the run directories that the grid no longer names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.json_text import write_json
from orchestrator.cli.lookup import source_of
from orchestrator.cli.removals import tell_removals
from orchestrator.cli.run_json import removals_as_json
from orchestrator.cli.status_table import print_status
from orchestrator.cli.tables import print_changes
from orchestrator.cli.waiting_notices import tell_waiting
from orchestrator.errors import UsageError
from orchestrator.planning.former_runs import look_back
from orchestrator.planning.load import load_plan
from orchestrator.planning.named_reports import name_reports
from orchestrator.rundir.run_summary import report_on
from orchestrator.rundir.state import State
from orchestrator.rundir.survivors import Survivors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.grid.identity import RunId
    from orchestrator.planning.load import Planned
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.run_summary import Report


def prune(options: argparse.Namespace, console: Console) -> int:
    """Show the run directories that the grid does not name; with ``--yes`` remove those not running.

    Raises:
        UsageError: The command names no grid, and several finished runs would be removed.
    """
    planned = load_plan(source_of(options), only=options.only)
    survivors = Survivors()
    reports = [report_on(planned.experiment.run(it), survivors) for it in planned.former]
    if options.yes and not options.without_grid and (done := _count_unnamed(planned, reports)):
        raise UsageError(
            f"{done} finished runs would be removed: this command names no grid,"
            f" {_compared(planned)}. Give the overrides of the grid to keep, or --without-grid to"
            " remove them anyway."
        )
    kept = _remove(planned.experiment, reports) if options.yes else {}
    if options.json:
        content = {
            "schema": 1,
            "named": len(planned.plan.decisions),
            "axes": [axis.key for axis in planned.described.axes],
            "runs": removals_as_json(reports, kept, removed=options.yes),
        }
        write_json(console, content, indent=2)
    else:
        _tell(options, planned, reports, kept, console)
    return ExitCode.LEFT if kept else 0


def _count_unnamed(planned: Planned, reports: Sequence[Report]) -> int:
    """Return how many finished runs would be removed because the grid was forgotten; 0 if it was not.

    Removed runs cannot be restored.
    """
    done = [report for report in reports if report.seen.state is State.DONE and report.overrides]
    return len(done) if len(done) > 1 and not planned.described.axes else 0


def _compared(planned: Planned) -> str:
    """Return a description of the runs that the command names, which are kept."""
    axes = planned.described.axes
    if not axes:
        return "only the one run that the config describes"
    keys = ", ".join(axis.key for axis in axes)
    return f"{len(planned.plan.decisions)} runs over {keys}"


def _remove(experiment: ExperimentDirectory, reports: Sequence[Report]) -> dict[RunId, str]:
    """Remove run directories and return those that were kept, with the reason."""
    reasons = (
        (report.run_id, experiment.remove(report.run_id, tell_waiting)) for report in reports
    )
    return {run_id: reason for run_id, reason in reasons if reason}


def _tell(
    options: argparse.Namespace,
    planned: Planned,
    reports: Sequence[Report],
    kept: dict[RunId, str],
    console: Console,
) -> None:
    folder = planned.experiment.training
    if not reports:
        console.print(Text(f"Nothing to remove: this grid names all runs in {folder}."))
        return
    if not options.yes:
        print_status(name_reports(reports, planned.experiment), console)
        print_changes(look_back(planned), console)
        anyway = " --without-grid" if _count_unnamed(planned, reports) else ""
        text = (
            f"This command names {_compared(planned)}. The other {len(reports)} in {folder}"
            f" would be removed: --yes{anyway} removes them permanently."
        )
        console.print(Text(text))
        return
    tell_removals(reports, kept, planned.experiment, console)
