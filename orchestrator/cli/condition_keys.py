"""The keys of a condition that no config has, but that a run has elsewhere: as a tag, a metric or a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.rundir.note_file import read_note
from orchestrator.rundir.program_files import read_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.grid.filters import Condition
    from orchestrator.rundir.directory import RunDirectory

_STATE: Final = "state"


def check_keys(
    condition: Condition, unknown: Sequence[str], directories: Sequence[RunDirectory]
) -> None:
    """Make sure that keys which no config has do not name anything else that runs have.

    Raises:
        UsageError: One is the name of a tag or of a metric, or the state of runs.
    """
    for key in unknown:
        why = _explain(key, condition.source, directories)
        if why:
            raise UsageError(f"{condition.source} {condition.text!r}: {why}")


def _explain(key: str, source: str, directories: Sequence[RunDirectory]) -> str:
    """Return what a key is, and how to ask for it; an empty string if it is nothing."""
    if any(key in read_note(each.path).tags for each in directories):
        return f"no run has the key {key!r}. Did you mean tags.{key}?"
    if any(read_figure(str(each.path), key) is not None for each in directories):
        return (
            f"{key!r} is a metric, and {source} reads the config, the note and the tags of a run."
            f" Order the runs by it with orch status --sort {key}."
        )
    if key == _STATE:
        return (
            f"{key!r} is not in a config, and {source} reads the config, the note and the tags of a"
            " run. Choose the runs in a state with orch status --state."
        )
    return ""
