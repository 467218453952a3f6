"""JSON as commands print it: numbers that JSON does not have are words in it, as in run directories."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrator.rundir.records import as_json

if TYPE_CHECKING:
    from rich.console import Console


def json_text(content: object, *, indent: int | None = None) -> str:
    """Return a value as JSON, with ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` for such numbers."""
    try:
        return json.dumps(content, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(as_json(content), indent=indent)


def write_json(console: Console, content: object, *, indent: int | None = None) -> None:
    """Write a value as JSON where a console writes, also if that is quiet: for ``--json``."""
    console.file.write(json_text(content, indent=indent) + "\n")
