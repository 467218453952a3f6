"""A quick look at a run that is done, as most are: only two small files are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.grid.identity import RUN_ID_DIGITS
from orchestrator.rundir import durable, records
from orchestrator.rundir.directory import IDENTITY, says_done
from orchestrator.rundir.state import Observation
from orchestrator.rundir.status_file import STATUS

if TYPE_CHECKING:
    from orchestrator.grid.identity import RunId


def observe_done(run_id: RunId, training: int) -> Observation | None:
    """Observe a run if it is done, without its progress; return None otherwise.

    None may also mean that these two files do not suffice to tell. ``training`` is the descriptor of
    the folder of the run directories.
    """
    try:
        status = records.parse_status(durable.read_file(f"{run_id}/{STATUS}", folder=training))
        if not says_done(status):
            return None
        found = records.parse(durable.read_file(f"{run_id}/{IDENTITY}", folder=training))
    except OSError:
        return None
    if not isinstance(found, dict) or found.get("run_id") != run_id:
        return None
    digest = found.get("digest")
    if not (isinstance(digest, str) and digest[:RUN_ID_DIGITS] == run_id):
        return None
    return Observation(status, attempts=status.attempt, identity=found)
