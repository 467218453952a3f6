"""What of a run is sent to MLflow together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.tracking.metrics_file_points import FilePosition, MetricPoint


@dataclass(slots=True)
class Batch:
    """What is sent to MLflow together: points, their keys and steps in the file, and tags.

    ``place`` is the position in the file up to which the batch reaches; ``iteration`` the progress that
    was last looked at.
    """

    place: FilePosition
    iteration: int
    samples: list[MetricPoint] = field(default_factory=list)
    steps: list[tuple[str, int]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
