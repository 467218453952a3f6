"""The status report on one run directory: what ``orch status`` shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir import records
from orchestrator.rundir.identity_file import read_identity
from orchestrator.rundir.note import NO_NOTE, Note
from orchestrator.rundir.note_file import read_note
from orchestrator.rundir.program_files import read_reported
from orchestrator.rundir.run_metrics import NO_OUTCOME, Outcome
from orchestrator.rundir.state import Observation, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.survivors import Survivors


@dataclass(frozen=True, slots=True)
class Report:
    """The report on one run."""

    run_id: RunId
    overrides: Mapping[str, Value]
    created_at: str
    seen: Observation
    outcome: Outcome = NO_OUTCOME
    note: Note = NO_NOTE


def report_on(
    directory: RunDirectory,
    survivors: Survivors | None = None,
    known: Observation | None = None,
    run: Run | None = None,
) -> Report:
    """Return the report on a run; damage becomes its reason, and is never raised.

    Args:
        directory: The run directory.
        survivors: As for ``RunDirectory.observe``.
        known: What was observed of the run a moment ago; that a run is done is final.
        run: The run, if a grid names it.
    """
    progress, outcome = read_reported(f"{directory.path}")
    if known is not None and known.state is State.DONE:
        seen = replace(known, progress=progress)
    else:
        seen = directory.observe(survivors)
    overrides: Mapping[str, Value] = {} if run is None else run.overrides
    created_at = seen.created_at
    if run is None or not created_at:
        try:
            identity = read_identity(directory.identity)
            created_at = str(identity.get("created_at"))
            overrides = records.parse_overrides(identity) if run is None else overrides
        except RunDirectoryError as error:
            seen = replace(seen, flaw=str(error))
    told = outcome if seen.status else NO_OUTCOME
    return Report(
        directory.run_id, overrides, created_at, seen, told, read_note(f"{directory.path}")
    )
