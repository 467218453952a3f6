"""``orch show``: the details of one run, and the command that continues it."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.command_for_run import OwnCommand, find_own_command
from orchestrator.cli.json_text import write_json
from orchestrator.cli.lookup import open_runs
from orchestrator.cli.next_command import join_words, split_words
from orchestrator.cli.run_json import report_as_json
from orchestrator.cli.safe_output import on_one_line, print_hanging
from orchestrator.cli.state_colours import COLOURS
from orchestrator.config.concealed_arguments import arguments_without_secrets
from orchestrator.errors import RunDirectoryError
from orchestrator.grid.config_values import DELETED, label_of
from orchestrator.rundir import code_record
from orchestrator.rundir.program_files import find_best_checkpoint
from orchestrator.rundir.replaced import kept_for
from orchestrator.rundir.reusable_checkpoints import read_extended
from orchestrator.rundir.run_summary import report_on
from orchestrator.rundir.state import State, Status
from orchestrator.rundir.state_words import word_of
from orchestrator.runner.failure_classes import FailureKind
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.run_metrics import Outcome
    from orchestrator.rundir.run_summary import Report


def show(options: argparse.Namespace, console: Console) -> int:
    """Print the details of a run."""
    (directory,) = open_runs(options, [options.run])
    report = report_on(directory)
    is_done = report.seen.state is State.DONE
    own = OwnCommand(None) if is_done else find_own_command(options, directory, report)
    if options.json:
        differs_in = list(own.differs_in)
        content = _as_json(directory, report) | {"command": own.command, "differs_in": differs_in}
        write_json(console, content, indent=2)
        return 0
    state = report.seen.state
    console.print(
        on_one_line(
            Text.assemble(
                f"run {report.run_id}  ",
                (word_of(report.seen), COLOURS[state]),
                f"  {report.seen.reason}",
            )
        ),
    )
    for name, value in _lines(directory, report):
        label = f"  {printable(name):<22} "
        print_hanging(Text.assemble((label, "dim"), printable(value)), len(label), console)
    if own.command:
        console.print(Text.assemble(("to continue it: ", "dim"), own.command), soft_wrap=True)
    elif not is_done:
        told = ("no command to continue it: ", "dim"), own.reason
        console.print(on_one_line(Text.assemble(*told)), soft_wrap=True)
    return 0


def _lines(directory: RunDirectory, report: Report) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each line under the first one."""
    seen = report.seen
    for key, value in {**report.overrides, **report.given}.items():
        yield key, "deleted" if key.startswith(DELETED) else label_of(value)
    if report.note:
        yield "note", str(report.note)
    if report.created_at:
        yield "created", report.created_at
    if isinstance(seen.status, Status):
        yield from _attempt_lines(seen.status, seen.attempts)
    if told := _describe_progress(report):
        yield "progress", told
    if extended := read_extended(directory.path):
        yield "begun with", f"{extended.iteration} iterations of run {extended.run_id}"
    for key, metric in report.outcome.metrics.items():
        yield key, _short(metric)
    yield from _best_lines(directory, report.outcome)
    yield from _code_lines(directory)
    yield from (("notice", notice) for notice in directory.notices())
    yield "config", str(directory.config)
    if kept := kept_for(directory):
        yield "earlier", f"{kept}, kept until this run is done"
    for log in directory.attempt_logs():
        yield "log", str(log)


def _describe_progress(report: Report) -> str:
    if progress := report.seen.progress:
        return f"{progress.iteration} of {progress.iterations} iterations"
    step = report.outcome.last_step
    return "" if step is None else f"its last metrics are those of step {step}"


def _best_lines(directory: RunDirectory, outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield which iteration was the best, and its checkpoint."""
    if outcome.best_iteration is not None:
        told = [f"{key} {_short(value)}" for key, value in outcome.best.items()]
        yield "best", ", ".join([f"iteration {outcome.best_iteration}", *told])
    if found := find_best_checkpoint(f"{directory.path}"):
        yield "best checkpoint", str(directory.path / found)


def _attempt_lines(status: Status, attempts: int) -> Iterator[tuple[str, str]]:
    """Yield what is recorded of the last attempt."""
    yield "attempt", str(attempts)
    yield "started", status.started_at
    if status.ended_at:
        yield "ended", status.ended_at
    slot = "" if status.slot is None else f", slot {status.slot}"
    yield "on", f"{status.host}, process {status.pid}{slot}"
    if failure := status.failure:
        kind = "" if failure.kind == FailureKind.ERROR else f"{failure.kind}: "
        yield "error", f"{kind}{failure.message}"
    if status.exit_code is not None:
        yield "exit code", str(status.exit_code)
    if status.gpu_memory:
        yield "GPU memory", f"at most {status.gpu_memory / (1 << 30):.2f} GiB"


def _code_lines(directory: RunDirectory) -> Iterator[tuple[str, str]]:
    """Yield what the last attempt executed, if it is recorded."""
    for made in code_record.read(directory.path)[-1:]:
        if isinstance(made.get("command"), list):
            yield "command", shlex.join(arguments_without_secrets(map(str, made["command"])))
        yield "in", made["directory"]
        if commit := code_record.commit_of(made):
            yield "commit", commit
        if made["files"]:
            yield (
                "code",
                ", ".join(f"{name} {sha or 'edited'}" for name, sha in made["files"].items()),
            )


def _as_json(directory: RunDirectory, report: Report) -> dict[str, object]:
    status = report.seen.status if isinstance(report.seen.status, Status) else None
    failure = report.seen.failure
    try:
        config: Mapping[str, object] | None = directory.read_config()
    except RunDirectoryError:
        config = None
    kept, extended = kept_for(directory), read_extended(directory.path)
    return {
        "schema": 1,
        **report_as_json(report),
        "directory": str(directory.path),
        "created_at": report.created_at or None,
        "host": status.host if status else None,
        "pid": status.pid if status else None,
        "exit_code": status.exit_code if status else None,
        "gpu_memory": status.gpu_memory if status else None,
        "error": {"class": failure.kind, "message": failure.message} if failure else None,
        "results": dict(report.outcome.results),
        "best": _best_as_json(directory, report.outcome),
        "begun_with": extended and extended._asdict(),
        "earlier": kept and str(kept),
        "code": [*map(_without_secrets, code_record.read(directory.path))],
        "notices": list(directory.notices()),
        "logs": [str(log) for log in directory.attempt_logs()],
        "config": config,
    }


def _without_secrets(made: code_record.Attempt) -> code_record.Attempt:
    """Return a record without the credentials that earlier versions did not conceal."""
    shown = dict(made)
    for key in ("program", "command"):
        if isinstance(made.get(key), list):
            shown[key] = arguments_without_secrets(map(str, made[key]))
    if isinstance(made.get("typed"), str):
        with contextlib.suppress(ValueError):  # it is not a command line
            words = split_words(made["typed"])
            if (kept := arguments_without_secrets(words)) != words:
                shown["typed"] = join_words(kept)
    return shown


def _best_as_json(directory: RunDirectory, outcome: Outcome) -> dict[str, object] | None:
    found = find_best_checkpoint(f"{directory.path}")
    if outcome.best_iteration is None and not found:
        return None
    return {
        "iteration": outcome.best_iteration,
        "metrics": dict(outcome.best),
        "checkpoint": str(directory.path / found) if found else None,
    }


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
