"""The resources of ``orch run``: its slots on this machine, and how ``orch control`` changes them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError
from orchestrator.execution.protocols import Resources
from orchestrator.execution.slots import count_slots, make_slots
from orchestrator.execution.visible_gpus import ALL, NO_GPUS, GpuGate, choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from orchestrator.config.orch_settings import Settings
    from orchestrator.config.resource_settings import Share
    from orchestrator.execution.mps_daemon import MpsDaemon
    from orchestrator.execution.packing import Packing
    from orchestrator.execution.peak_memory import PeakMemory
    from orchestrator.execution.slots import Gpu, Slot
    from orchestrator.execution.visible_gpus import Gpus
    from orchestrator.execution.wall_time_limit import Worker
    from orchestrator.planning.plan import Decision
    from orchestrator.rundir.control_file import ControlFile


def find_resources(  # noqa: PLR0913, PLR0917 # what it depends on
    settings: Settings,
    gpus: Gpus,
    found: Sequence[Gpu],
    runs: int,
    control: ControlFile,
    shared: Mapping[str, str],
    *,
    learn: Callable[[], PeakMemory],
) -> Resources:
    """Return what runs may use: no more slots than there are runs.

    ``shared`` are the variables by which programs find MLflow; ``learn`` returns what finished runs have
    used of GPUs.

    Raises:
        UsageError: A GPU that the settings name does not exist, or a run takes more than there are.
    """
    share = settings.share
    chosen = _choose(share, found)
    processors = len(os.sched_getaffinity(0))
    per_gpu = _most_per_gpu(share, chosen, processors)
    count = count_slots(share.workers, len(chosen), processors, share.gpus_per_run, per_gpu)

    daemon = _find_daemon(share, chosen)
    variables = {**shared, **(daemon.environment if daemon else {})}

    def slots(wanted: int, threads_for: int | None = None) -> Sequence[Slot]:
        environment = {**variables, **_environment(share, threads_for or wanted)}
        near = gpus.distance if share.gpus in (None, ALL) else None  # else in the order of the user
        return make_slots(wanted, chosen, environment, per_run=share.gpus_per_run, distance=near)

    return Resources(
        # The threads per run follow from the setting, not from the number of runs.
        slots(min(count, max(runs, 1)), count),
        settings.policy,
        GpuGate(gpus, share.gpu_memory, daemon.processes if daemon else frozenset)
        if chosen
        else None,
        save_when_asked=settings.program.is_trainer,
        requests=control.news,
        grow=slots,
        packing=_pack(gpus, learn, per_gpu) if share.is_measured and per_gpu > 1 else None,
        daemon=daemon,
    )


def _choose(share: Share, found: Sequence[Gpu]) -> Sequence[Gpu]:
    """Return the GPUs that runs may use.

    Raises:
        UsageError: One that is named does not exist, or a run takes more than there are.
    """
    chosen = choose(found, share.gpus, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if 0 < len(chosen) < share.gpus_per_run:
        raise UsageError(
            f"orch.gpus_per_run is {share.gpus_per_run}, but runs may use {len(chosen)} here."
            " Set it to a smaller number, or --gpus none."
        )
    return chosen


# What many runs on a GPU need is imported only there.
def _most_per_gpu(share: Share, chosen: Sequence[Gpu], processors: int) -> int:
    if not chosen:
        return 1
    from orchestrator.execution.planned_sharing import most_per_gpu  # noqa: PLC0415 # as above

    return most_per_gpu(share, chosen, processors)


def _pack(gpus: Gpus, learn: Callable[[], PeakMemory], per_gpu: int) -> Packing:
    from orchestrator.execution.packing import Packing  # noqa: PLC0415 # as above

    return Packing(gpus, learn(), per_gpu)


def _find_daemon(share: Share, chosen: Sequence[Gpu]) -> MpsDaemon | None:
    """Return the MPS daemon that runs need; None without GPUs, and where the user has started one."""
    if not share.mps or not chosen or os.environ.get("CUDA_MPS_PIPE_DIRECTORY"):
        return None
    from orchestrator.execution.mps_daemon import MpsDaemon, mps_folder  # noqa: PLC0415 # rarely set

    return MpsDaemon(mps_folder())


def limit_to(worker: Worker | None, resources: Resources) -> Resources:
    """Return the resources of a worker, which has a limited time and may leave runs to others."""
    if worker is None:
        return resources
    return replace(resources, time=worker.time, waits=worker.waits, most_runs=worker.most_runs)


def take_turns(starts: Iterable[Decision], worker: Worker | None) -> Iterable[Decision]:
    """Return the runs in the order of a worker, so that all workers do not begin with the same.

    Runs that were lost with their job come last: they may end this one as well.
    """
    if worker is None:
        return starts
    ordered = list(starts)
    first = worker.place % max(1, len(ordered))
    return sorted(ordered[first:] + ordered[:first], key=lambda each: each.seen.lost > 0)


def _environment(share: Share, count: int) -> dict[str, str]:
    """Return the variables for runs of which ``count`` share the CPUs."""
    environment = {}
    if share.threads or "OMP_NUM_THREADS" not in os.environ:
        threads = str(share.threads or max(1, len(os.sched_getaffinity(0)) // count))
        environment = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    if share.gpus == NO_GPUS:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return environment
