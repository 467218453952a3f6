"""How many runs of a plan will share a GPU, and why: from the settings, and what finished runs have used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.execution.cost_model import marks_of
from orchestrator.execution.gpu_admission import GIB, fit_together, need_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.config.resource_settings import Share
    from orchestrator.execution.peak_memory import PeakMemory
    from orchestrator.execution.slots import Gpu
    from orchestrator.grid.config_values import Value

# Sixteen small runs on an H200 are done no later than eight, and their starts overlap.
_MOST: Final = 16
_FEWEST: Final = 4
_PER_CPU: Final = 2


@dataclass(frozen=True, slots=True)
class PlannedSharing:
    """How many runs will share a GPU.

    ``per_gpu`` is the number that is expected (None: unknown), of at most ``most``; ``need`` the most bytes
    that a run is known to need, of ``memory``. Of ``unknown`` of the ``runs`` nothing is known.
    """

    per_gpu: int | None
    most: int
    memory: int = 0
    need: int | None = None
    runs: int = 0
    unknown: int = 0

    @property
    def is_measured(self) -> bool:
        """Whether it follows from the memory that runs need."""
        return self.memory > 0

    def __str__(self) -> str:
        """Say it in one line."""
        if not self.is_measured:
            return f"sharing: {self.most} run{'s' * (self.most > 1)} per GPU, as orch.pack says"
        first = "the first run of each kind is measured, and until then none joins it"
        if self.need is None or self.per_gpu is None:
            return f"sharing: up to {self.most} runs per GPU, as their memory allows: {first}"
        needs = f"a run needs at most {self.need / GIB:.1f} of {self.memory / GIB:.1f} GiB"
        told = f"sharing: {self._count()} per GPU, because {needs}"
        if not self.unknown:
            return told
        return f"{told}; of {self.unknown} of {self.runs} runs that is unknown: {first}"

    def _count(self) -> str:
        return "one run" if self.per_gpu == 1 else f"up to {self.per_gpu} runs"


def most_per_gpu(share: Share, gpus: Sequence[Gpu], processors: int) -> int:
    """Return how many runs share a GPU at most; 1 if its memory cannot be measured."""
    if share.workers or not gpus:
        return 1
    if share.pack:
        return share.pack
    if not share.is_measured or not all(gpu.memory for gpu in gpus):
        return 1
    return max(_FEWEST, min(_MOST, _PER_CPU * processors // len(gpus)))


def plan_sharing(
    share: Share,
    gpus: Sequence[Gpu],
    processors: int,
    points: Iterable[Mapping[str, Value]],
    peaks: PeakMemory,
) -> PlannedSharing | None:
    """Return how many runs will share a GPU; None if the user has said how many run at once, or without GPUs.

    Args:
        share: The settings.
        gpus: The GPUs that runs may use.
        processors: The number of CPUs.
        points: The axis values of the runs that are to start.
        peaks: What finished runs have used.
    """
    if share.workers or not gpus:
        return None
    most = most_per_gpu(share, gpus, processors)
    if not share.is_measured or most == 1:
        return PlannedSharing(most, most)
    memory = min(gpu.memory for gpu in gpus)
    expected = [peaks.expect(marks_of(point)) for point in points]
    needs = [need_of(peak) for peak in expected if peak is not None]
    if not needs:
        return PlannedSharing(None, most, memory, None, len(expected), len(expected))
    mean = sum(needs) // len(needs)
    together = min(most, fit_together(memory, mean))
    unknown = len(expected) - len(needs)
    return PlannedSharing(together, most, memory, max(needs), len(expected), unknown)
