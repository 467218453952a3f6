"""Work: a plan with all that its execution needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.config.settings import Settings
    from orchestrator.planning.plan import Plan
    from orchestrator.rundir.experiment import ExperimentDirectory


@dataclass(frozen=True, slots=True)
class Work:
    """A plan with its experiment's folder, and the settings to execute it with."""

    plan: Plan
    experiment: ExperimentDirectory
    settings: Settings
