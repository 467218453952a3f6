"""The summary of one run directory: what ``orch status`` shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import RunId
from orchestrator.rundir.chosen_values import parse_chosen
from orchestrator.rundir.directory import IDENTITY
from orchestrator.rundir.identity_file import FIX_DISK, read_identity
from orchestrator.rundir.note import NO_NOTE, Note
from orchestrator.rundir.note_file import read_note
from orchestrator.rundir.program_files import read_reported
from orchestrator.rundir.run_metrics import NO_OUTCOME, Outcome
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation, Progress
    from orchestrator.rundir.survivors import Survivors


@dataclass(frozen=True, slots=True)
class Report:
    """The report on one run; ``progress`` and ``outcome`` are what its program has told by now.

    Test results count once the run is done.

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


def report_on(directory: RunDirectory, survivors: Survivors | None = None) -> Report:
    """Return the report on a run; damage becomes its reason, and is never raised.

    ``survivors`` are as for ``RunDirectory.observe``.
    """
    return report_on_seen(f"{directory.path}", directory.observe(survivors))


def report_on_seen(
    run_dir: str, seen: Observation, overrides: Mapping[str, Value] | None = None
) -> Report:
    """Return the report on a run that was observed a moment ago, perhaps without its progress.

    ``overrides`` are the axis values of the run, if a grid names it.
    """
    progress, outcome = read_reported(run_dir) if seen.status else (None, NO_OUTCOME)
    identity = seen.identity
    if identity is None:
        try:
            identity = read_identity(Path(run_dir, IDENTITY))
        except RunDirectoryError as error:
            identity, seen = {}, replace(seen, flaw=str(error))
    if outcome.refused and not seen.flaw:
        seen = replace(seen, flaw=_unread(outcome.refused))
    if outcome.results and seen.state is not State.DONE:  # the attempt ended otherwise behind them
        outcome = replace(outcome, results={}, best={}, best_iteration=None)
    chosen = parse_chosen(identity)
    return Report(
        RunId(run_dir.rpartition("/")[2]),
        chosen.overrides if overrides is None else overrides,
        str(identity.get("created_at", "")),
        seen,
        progress,
        outcome,
        read_note(run_dir),
        chosen.given,
        chosen.choices,
    )


def _unread(refused: tuple[str, ...]) -> str:
    return f"{' and '.join(refused)} cannot be read. {FIX_DISK}"
