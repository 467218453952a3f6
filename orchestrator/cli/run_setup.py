"""What precedes the execution of runs: output that may be lost, repaired directories, the board."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

from rich.text import Text

from orchestrator.cli.board import JsonBoard, LiveBoard, PlainBoard, QuietBoard
from orchestrator.cli.tolerant_stream import TolerantStream
from orchestrator.errors import RunDirectoryError, UsageError
from orchestrator.grid.identity import short

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.config.settings import Settings
    from orchestrator.execution.time_left import Worker
    from orchestrator.planning.work import Work


def set_up(console: Console, *, is_quiet: bool) -> None:
    """Let output be lost rather than runs: a closed terminal or a closed pipe must not stop a grid."""
    console.file = cast("IO[str]", TolerantStream(console.file))
    console.quiet = console.quiet or is_quiet


def refuse_cluster(settings: Settings, options: argparse.Namespace, worker: Worker | None) -> None:
    """Check that this process is to execute runs, and no cluster.

    Raises:
        UsageError: A cluster is to execute them.
    """
    if settings.slurm and worker is None:
        raise UsageError(
            f"orch {options.command} executes runs on this machine, and orch.slurm is set. Add"
            " orch.slurm=null to do that."
        )


def heal(planned: Work, console: Console) -> None:
    """Repair the directories of finished runs; print one line for each that cannot be repaired."""
    for decision in planned.plan.flawed():
        try:
            planned.experiment.create(decision.run)
        except (OSError, RunDirectoryError) as error:
            text = f"{short(decision.run.run_id)} is done, but {error}"
            console.print(Text(text, style="yellow"), soft_wrap=True)


def choose_board(options: argparse.Namespace, console: Console, total: int) -> PlainBoard:
    """Return the board for what the options and the terminal ask for."""
    if options.json:
        return JsonBoard(console, total)
    if options.quiet:
        return QuietBoard(console, total)
    return LiveBoard(console, total) if console.is_terminal else PlainBoard(console, total)
