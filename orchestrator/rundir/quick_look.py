"""A quick look at a run that is done, as most are: two small files, and nothing else is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.grid.identity import RUN_ID_DIGITS
from orchestrator.rundir import durable, records
from orchestrator.rundir.directory import IDENTITY, STATUS, says_done
from orchestrator.rundir.state import Observation

if TYPE_CHECKING:
    from orchestrator.grid.identity import RunId


def observe_done(run_id: RunId, training: int) -> Observation | None:
    """Look at a run, in the fewest steps, if it is done; its progress is passed over.

    ``training`` is the descriptor of the folder of the run directories. None: the run is not done,
    or that can not be told so quickly.
    """
    try:
        status = records.parse_status(durable.read_file(f"{run_id}/{STATUS}", folder=training))
        if not says_done(status):
            return None
        found = records.parse(durable.read_file(f"{run_id}/{IDENTITY}", folder=training))
    except OSError:
        return None
    match found:
        case {"run_id": str(named), "digest": str(digest)} if (
            named == run_id == digest[:RUN_ID_DIGITS]
        ):
            return Observation(status, attempts=status.attempt)
        case _:
            return None
