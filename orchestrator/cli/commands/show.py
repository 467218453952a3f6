"""``orch show``: all that is known of one run, and the command that continues it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.colours import COLOURS
from orchestrator.cli.lookup import open_runs
from orchestrator.cli.next_command import next_command
from orchestrator.cli.report_json import report_as_json
from orchestrator.cli.terminal import on_one_line
from orchestrator.config.load import load_experiment
from orchestrator.config.overrides import as_override
from orchestrator.errors import OrchestratorError, RunDirectoryError
from orchestrator.grid.axes import expand
from orchestrator.grid.identity import identify
from orchestrator.grid.values import show as show_value
from orchestrator.rundir.state import State, Status
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from orchestrator.rundir.directory import Report, RunDirectory


def show(options: argparse.Namespace, console: Console) -> int:
    """Print what is known of a run."""
    (directory,) = open_runs(options, [options.run])
    report = directory.report()
    command = None if report.seen.state is State.DONE else _command(options, report)
    if options.json:
        content = _as_json(directory, report) | {"command": command}
        console.file.write(json.dumps(content, indent=2) + "\n")
        return 0
    state = report.seen.state
    console.print(
        on_one_line(
            Text.assemble(
                f"run {report.run_id}  ", (state.value, COLOURS[state]), f"  {report.seen.reason}"
            )
        ),
        soft_wrap=True,
    )
    for name, value in _lines(directory, report):
        line = Text.assemble((f"  {printable(name):<22} ", "dim"), printable(value))
        console.print(line, soft_wrap=True)
    if command:
        console.print(Text.assemble(("to continue it: ", "dim"), command), soft_wrap=True)
    return 0


def _lines(directory: RunDirectory, report: Report) -> Iterator[tuple[str, str]]:
    """Yield the lines under the first one: a name and a value each."""
    seen = report.seen
    for key, value in report.overrides.items():
        yield key, value if isinstance(value, str) else show_value(value)
    if report.created_at:
        yield "made", report.created_at
    if isinstance(seen.status, Status):
        ended = f", ended {seen.status.ended_at}" if seen.status.ended_at else ""
        yield "attempt", f"{seen.attempts}, begun {seen.status.started_at}{ended}"
        yield "on", f"{seen.status.host}, process {seen.status.pid}"
        if seen.status.failure:
            yield "error", f"{seen.status.failure.kind}: {seen.status.failure.message}"
        if seen.status.exit_code is not None:
            yield "exit code", str(seen.status.exit_code)
    if seen.progress:
        yield "iterations", f"{seen.progress.iteration} of {seen.progress.iterations}"
    metrics = seen.progress.metrics if seen.progress else {}
    for key, metric in {**metrics, **directory.read_results()}.items():
        yield key, _short(metric)
    yield "config", str(directory.config)
    for log in directory.attempt_logs():
        yield "log", str(log)


def _as_json(directory: RunDirectory, report: Report) -> dict[str, object]:
    status = report.seen.status if isinstance(report.seen.status, Status) else None
    failure = status.failure if status else None
    try:
        config: Mapping[str, object] | None = directory.read_config()
    except RunDirectoryError:
        config = None
    return {
        "schema": 1,
        **report_as_json(report),
        "directory": str(directory.path),
        "created_at": report.created_at or None,
        "host": status.host if status else None,
        "pid": status.pid if status else None,
        "exit_code": status.exit_code if status else None,
        "error": {"class": failure.kind, "message": failure.message} if failure else None,
        "results": dict(directory.read_results()),
        "logs": [str(log) for log in directory.attempt_logs()],
        "config": config,
    }


def _command(options: argparse.Namespace, report: Report) -> str:
    """Return the command that continues this run and no other, or else all runs of the grid.

    The config may have changed since the run was made: what is told is what would find this run.
    """
    given = {text.partition("=")[0].lstrip("+~"): text for text in options.overrides}
    others = [text for key, text in given.items() if key not in report.overrides]
    signs = {key: text[: len(text) - len(text.lstrip("+"))] for key, text in given.items()}
    own = [
        as_override(f"{signs.get(key, '')}{key}", value) for key, value in report.overrides.items()
    ]
    overrides = options.overrides
    try:
        folder = Path(options.config_dir)
        described = load_experiment(folder, options.config_name, [*others, *own])
        points = list(expand(described.axes))
        config = described.composer.resolve_for_identity(points[0])
        run = identify(config, {}, described.settings.identity_exclude)
        if len(points) == 1 and run.run_id == report.run_id:
            overrides = [*others, *own]
    except OrchestratorError:
        pass  # the config of now does not know this run: orch run on the whole grid says why
    return next_command(argparse.Namespace(**{**vars(options), "overrides": overrides}), "run")


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
