"""What finished runs have used of GPUs: reads it from their directories, of this and of earlier experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.execution.cost_model import marks_of
from orchestrator.execution.past_runs import pick_some
from orchestrator.execution.peak_memory import PeakMemory
from orchestrator.execution.similar_runs import find_earlier
from orchestrator.planning.load import Planned
from orchestrator.rundir.state import Record, Status

if TYPE_CHECKING:
    from orchestrator.planning.executable_plan import Work

_MOST: Final = 300


def learn_peaks(planned: Work) -> PeakMemory:
    """Return the peaks of finished runs of a plan, or else of earlier ones that are like them."""
    peaks, decisions = PeakMemory(), planned.plan.decisions
    done = [
        (place, seen.status.gpu_memory)
        for place, seen in decisions.observed()
        if isinstance(seen.status, Status)
        and seen.status.record is Record.DONE
        and seen.status.gpu_memory
    ]
    for place, peak in pick_some(done, _MOST):
        peaks.note(marks_of(decisions.run(place).overrides), peak)
    if not done and isinstance(planned, Planned):
        axes = [axis.key for axis in planned.described.axes]
        for sibling in find_earlier(planned).runs:
            status = sibling.directory.read_status()
            if isinstance(status, Status) and status.gpu_memory:
                point = {key: sibling.point[key] for key in axes if key in sibling.point}
                peaks.note(marks_of(point), status.gpu_memory)
    return peaks
