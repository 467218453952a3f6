"""The summary of one run directory: what ``orch status`` shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir.chosen_values import parse_chosen
from orchestrator.rundir.identity_file import FIX_DISK, read_identity
from orchestrator.rundir.note import NO_NOTE, Note
from orchestrator.rundir.note_file import read_note
from orchestrator.rundir.program_files import read_reported
from orchestrator.rundir.run_metrics import NO_OUTCOME, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation, Progress
    from orchestrator.rundir.survivors import Survivors


@dataclass(frozen=True, slots=True)
class Report:
    """The report on one run; ``progress`` and ``outcome`` are what its program has told by now.

    ``overrides``, ``given`` and ``choices`` are those of its ``ChosenValues``.
    """

    run_id: RunId
    overrides: Mapping[str, Value]
    created_at: str
    seen: Observation
    progress: Progress | None = None
    outcome: Outcome = NO_OUTCOME
    note: Note = NO_NOTE
    given: Mapping[str, Value] = field(default_factory=dict)
    choices: Mapping[str, Value] | None = None


def report_on(
    directory: RunDirectory,
    survivors: Survivors | None = None,
    known: Observation | None = None,
    overrides: Mapping[str, Value] | None = None,
) -> Report:
    """Return the report on a run; damage becomes its reason, and is never raised.

    Args:
        directory: The run directory.
        survivors: As for ``RunDirectory.observe``.
        known: What was observed of the run a moment ago, perhaps without its progress.
        overrides: The axis values of the run, if a grid names it.
    """
    path = f"{directory.path}"
    seen = directory.observe(survivors) if known is None else known
    progress, outcome = read_reported(path) if seen.status else (None, NO_OUTCOME)
    identity = seen.identity
    if identity is None:
        try:
            identity = read_identity(directory.identity)
        except RunDirectoryError as error:
            identity, seen = {}, replace(seen, flaw=str(error))
    if outcome.refused and not seen.flaw:
        seen = replace(seen, flaw=_unread(outcome.refused))
    chosen = parse_chosen(identity)
    return Report(
        directory.run_id,
        chosen.overrides if overrides is None else overrides,
        str(identity.get("created_at", "")),
        seen,
        progress,
        outcome,
        read_note(path),
        chosen.given,
        chosen.choices,
    )


def _unread(refused: tuple[str, ...]) -> str:
    return f"{' and '.join(refused)} cannot be read. {FIX_DISK}"
