"""``orch logs``: the output of a run's last attempt, or of another one; ``--follow`` to its end."""

from __future__ import annotations

import codecs
import json
import os
import select
import sys
from typing import TYPE_CHECKING, Final

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.lookup import open_runs
from orchestrator.errors import UsageError
from orchestrator.execution.stop import StopRequests
from orchestrator.rundir.state import State
from orchestrator.sanitize import harmless

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from rich.console import Console

    from orchestrator.rundir.directory import RunDirectory

_PIECE: Final = 1 << 16
_PAUSE: Final = 0.2


def logs(options: argparse.Namespace, console: Console) -> int:
    """Print a log; raw into files and pipes, without control codes on a terminal.

    Raises:
        UsageError: There is no such attempt.
    """
    if options.json and options.follow:
        raise UsageError("--json tells a log that is complete. Leave --follow out.")
    (directory,) = open_runs(options, [options.run])
    path = _choose(directory, options.attempt)
    with path.open("rb") as file:
        if options.tail is not None:
            _seek_to_tail(file, options.tail)
        if options.json:
            text = file.read().decode(errors="replace")
            content = {"schema": 1, "run_id": directory.run_id, "log": str(path), "text": text}
            console.file.write(json.dumps(content, indent=2) + "\n")
            return 0
        if not options.follow:
            _write(_read(file), console)
            return 0
        with StopRequests() as stop:
            _write(_follow(directory, file, stop), console)
    return ExitCode.INTERRUPTED if stop.asked else 0


def _choose(directory: RunDirectory, attempt: int | None) -> Path:
    found = directory.attempt_logs()
    if not found:
        raise UsageError(f"run {directory.run_id} has no log: {directory.observe().reason}.")
    if attempt is None:
        return found[-1]
    chosen = directory.attempt_log(attempt)
    if chosen not in found:
        there = ", ".join(path.name for path in found)
        raise UsageError(f"run {directory.run_id} has no log of attempt {attempt}; it has {there}.")
    return chosen


def _seek_to_tail(file: BinaryIO, lines: int) -> None:
    """Set a file to where its last lines begin, reading no more of it than these."""
    place = file.seek(0, os.SEEK_END)
    missing = lines + 1  # the line break at the end of the file is none between lines
    while place > 0:
        size = min(_PIECE, place)
        place -= size
        file.seek(place)
        piece = file.read(size)
        if place + size == file.seek(0, os.SEEK_END) and not piece.endswith(b"\n"):
            missing -= 1
        found = piece.count(b"\n")
        if found >= missing:
            at = len(piece)
            for _ in range(missing):
                at = piece.rindex(b"\n", 0, at)
            file.seek(place + at + 1)
            return
        missing -= found
    file.seek(0)


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _follow(directory: RunDirectory, file: BinaryIO, stop: StopRequests) -> Iterator[bytes]:
    """Yield what is written until the run has ended, looking five times a second."""
    while not stop.asked:
        # Looked at before reading: what an attempt writes before it ends is read after that.
        lives = directory.observe().state is State.RUNNING
        if file.tell() > os.fstat(file.fileno()).st_size:
            file.seek(0, os.SEEK_END)  # a log that is full is cut, and written anew at its end
        yield from _read(file)
        if not lives:
            return
        select.select([stop], [], [], _PAUSE)


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
