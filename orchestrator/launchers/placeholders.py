"""The placeholders that a command may hold: ``{run_dir}`` and ``{run_id}``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.rundir import RunDirectory


def fill_in(part: str, directory: RunDirectory) -> str:
    """Return one argument of a command with its placeholders filled in."""
    run_dir = str(directory.path.resolve())
    return part.replace("{run_dir}", run_dir).replace("{run_id}", directory.run_id)
