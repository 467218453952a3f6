"""What ``orch rm`` and ``orch prune`` say of the run directories that they have removed, or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.tables import ROWS_WITHOUT_ASKING
from orchestrator.grid.axes import describe_point

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.run_summary import Report


def tell_removals(
    reports: Sequence[Report],
    kept: Mapping[RunId, str],
    experiment: ExperimentDirectory,
    console: Console,
) -> None:
    """Print a line for each run, of many only for those that were kept, and how many were removed.

    One more tells of those that MLflow still has.
    """
    for report in reports:
        line = f"{report.run_id}  {describe_point(report.overrides or report.given)}"
        if report.run_id in kept:
            told = Text(f"kept {line}: {kept[report.run_id]}", style="yellow")
            console.print(told, soft_wrap=True)
        elif len(reports) <= ROWS_WITHOUT_ASKING:
            console.print(Text(f"removed {line}"), soft_wrap=True)
    what = "run directory was" if len(reports) == 1 else "run directories were"
    console.print(Text(f"{len(reports) - len(kept)} of {len(reports)} {what} removed."))
    removed = (it.run_id for it in reports if it.run_id not in kept)
    in_mlflow = sum(experiment.run(run_id).delivery.is_file() for run_id in removed)
    if in_mlflow:
        were, them = ("was", "it") if in_mlflow == 1 else ("were", "them")
        line = "It" if len(reports) == 1 else f"{in_mlflow} of them"
        line += f" {were} reported to MLflow, which keeps {them}: delete {them} there, by the tag orch.run_id."
        console.print(Text(line), soft_wrap=True)
