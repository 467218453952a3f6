"""``orch logs``: the output of a run's last attempt, or of another one, once or continuously."""

from __future__ import annotations

import codecs
import sys
from typing import TYPE_CHECKING

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.json_text import write_json
from orchestrator.cli.log_following import Following, choose_log, open_log, read, seek_to_tail
from orchestrator.cli.lookup import open_runs
from orchestrator.errors import UsageError
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.sanitize import harmless

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rich.console import Console


def logs(options: argparse.Namespace, console: Console) -> int:
    """Print a log: raw to files and pipes, without control codes to a terminal.

    Raises:
        UsageError: There is no such attempt.
    """
    if options.json and options.follow:
        raise UsageError(
            "--json and --follow exclude each other: JSON holds a whole log. Choose one."
        )
    (directory,) = open_runs(options, [options.run])
    if options.follow:
        with StopRequests() as stop:
            following = Following(directory, stop, options.attempt, options.tail)
            _write(following.pieces(), console)
        return ExitCode.INTERRUPTED if stop.asked else 0
    path = choose_log(directory, options.attempt)
    with open_log(path) as file:
        if options.tail is not None:
            seek_to_tail(file, options.tail)
        if options.json:
            text = file.read().decode(errors="replace")
            content = {"schema": 1, "run_id": directory.run_id, "log": str(path), "text": text}
            write_json(console, content, indent=2)
        else:
            _write(read(file), console)
    return 0


def _write(pieces: Iterator[bytes], console: Console) -> None:
    if not console.is_terminal:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        console.file.write(harmless(decoder.decode(piece)))
        console.file.flush()
