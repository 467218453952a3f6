"""What the reporter sends of every run besides its points, and where to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.tracking.delivery_record import Destination
    from orchestrator.tracking.git_source import GitSource


class Scope(NamedTuple):
    """What to report of every run besides its points.

    ``sources`` returns the commits that runs were started from, the oldest first. ``share``: programs
    log to the same MLflow runs themselves.
    """

    destination: Destination
    experiment_id: str
    sources: Callable[[], Sequence[GitSource]]
    artifacts: bool = True
    checkpoint: bool = False
    share: bool = False
