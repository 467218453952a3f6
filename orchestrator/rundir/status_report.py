"""The status report on one run directory: what ``orch status`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.rundir.run_metrics import NO_OUTCOME, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import RunId
    from orchestrator.rundir.state import Observation


@dataclass(frozen=True, slots=True)
class Report:
    """The report on one run."""

    run_id: RunId
    overrides: Mapping[str, Value]
    created_at: str
    seen: Observation
    outcome: Outcome = NO_OUTCOME
