"""``orch work``: executes prepared runs of an experiment, on any machine that shares its folder."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.broken_pipe import tolerate_loss
from orchestrator.cli.commands.run import execute
from orchestrator.cli.runs_of_other_hosts import declare_gone
from orchestrator.config.quantities import parse_duration
from orchestrator.config.slurm_settings import SlurmSettings
from orchestrator.errors import IncoherentLocksError
from orchestrator.execution.wall_time_limit import UNLIMITED, TimeLimit, Worker, limit_in
from orchestrator.planning.work_file import open_work
from orchestrator.slurm.batch_script import is_withdrawn, note_begin, note_refusal, place_of
from orchestrator.slurm.commands import Slurm, time_left

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.config.orch_settings import Settings


def work(options: argparse.Namespace, console: Console) -> int:
    """Execute prepared runs until none is open, and return the exit code.

    SIGTERM, with which clusters end what they have started, is not an error, nor is the end of the
    time: a worker that has stopped in order exits with code 0.

    Raises:
        UsageError: Nothing was prepared in the folder, or its project is not on this machine.
        IncoherentLocksError: Another host executes the experiment, and its locks are not seen here.
    """
    tolerate_loss(console)
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
    # It also tells orch.at_end.
    silent = replace(settings, tracking=replace(settings.tracking, enabled=False), at_end=())
    todo = replace(prepared.work, settings=silent)
    begin = partial(note_begin, folder, os.environ)
    worker = Worker(
        _time_limit(options, settings),
        waits="SLURM_JOB_ID" not in os.environ,
        most_runs=options.runs,
        place=place_of(os.environ),
        is_withdrawn=partial(is_withdrawn, folder, os.environ),
    )
    try:
        return execute(todo, begin, options, console, worker=worker)
    except IncoherentLocksError as error:
        note_refusal(folder, os.environ, str(error))
        raise


def _time_limit(options: argparse.Namespace, settings: Settings) -> TimeLimit:
    """Return the limit that the user gives, or the cluster.

    Raises:
        ConfigError: It is not a duration.
    """
    seconds = None
    if options.time is not None:
        given = options.time
        seconds = parse_duration(float(given) if given.isdecimal() else given, "--time")
    elif "SLURM_JOB_ID" in os.environ:
        seconds = time_left(os.environ, time.time(), Slurm())
    return (
        UNLIMITED
        if seconds is None
        else limit_in(seconds, (settings.slurm or SlurmSettings()).grace)
    )
