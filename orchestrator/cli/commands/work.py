"""``orch work``: executes prepared runs of an experiment, on any machine that shares its folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.commands.run import execute
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.unproven_runs import declare_gone
from orchestrator.planning.prepared_work import open_work

if TYPE_CHECKING:
    import argparse

    from rich.console import Console


def work(options: argparse.Namespace, console: Console) -> int:
    """Execute prepared runs until none is open, and return the exit code.

    SIGTERM, with which clusters end what they have started, is not an error: a worker that has
    stopped in order exits with code 0.

    Raises:
        UsageError: Nothing was prepared in the folder, or its project is not on this machine.
    """
    folder = Path(options.folder).absolute()
    prepared = open_work(folder)
    if options.host_is_gone:
        declare_gone(prepared.work, options.host_is_gone)
        prepared = open_work(folder)
    given = prepared.given
    # Messages name commands for the project's folder, as the user typed them there.
    options.config_dir, options.config_name = given.config_dir, given.config_name
    options.app, options.overrides = given.app, list(given.overrides)
    settings = prepared.work.settings
    # MLflow's store may not be safe on a shared folder: the machine that prepared the runs reports.
    silent = replace(settings, tracking=replace(settings.tracking, enabled=False))
    todo = replace(prepared.work, settings=silent)
    return execute(todo, bool, options, console, code_when_terminated=ExitCode.DONE)
