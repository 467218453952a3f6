"""``orch control``: changes the ``orch run`` of an experiment while it executes, from another terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.json_text import write_json
from orchestrator.cli.lookup import source_of
from orchestrator.cli.waiting_notices import tell_waiting
from orchestrator.errors import RunDirectoryError, UsageError
from orchestrator.execution import nvidia_device_files
from orchestrator.execution.stop_requests import StopLevel
from orchestrator.execution.visible_gpus import Nvml, refuse_missing
from orchestrator.planning.load import open_experiment
from orchestrator.rundir.control_file import ControlRequest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from orchestrator.execution.slots import Gpu
    from orchestrator.rundir.experiment import ExperimentDirectory


def control(options: argparse.Namespace, console: Console) -> int:
    """Ask every ``orch run`` of the experiment on this machine to change, and return 0.

    Raises:
        UsageError: The options ask for nothing, for both of a pair, or name a GPU that does not exist.
        RunDirectoryError: The request cannot be written.
    """
    request = _read(options)
    _refuse_missing(request)
    _, experiment = open_experiment(source_of(options))
    is_executed = experiment.is_executed()
    if is_executed:
        _ask(experiment, request, drain=options.drain)
    if options.json:
        content = {
            "schema": 1,
            "experiment_id": experiment.experiment_id,
            "asked": is_executed,
            **asdict(request),
            "drain": options.drain,
        }
        write_json(console, content, indent=2)
        return 0
    console.print(
        Text(_describe(experiment.experiment_id, request, options.drain, asked=is_executed)),
    )
    return 0


def _read(options: argparse.Namespace) -> ControlRequest:
    paused = True if options.pause else False if options.resume else None
    without, again = tuple(options.without_gpu), tuple(options.with_gpu)
    both = sorted({*without} & {*again})
    if both:
        raise UsageError(f"--without-gpu {both[0]} and --with-gpu {both[0]} exclude each other.")
    if options.workers is not None and options.workers < 1:
        raise UsageError("--workers is less than 1. To start no more runs, use --pause.")
    request = ControlRequest(options.workers, paused, without, again)
    if request == ControlRequest() and not options.drain:
        raise UsageError(
            "nothing is to be changed. Give --workers, --pause, --resume, --without-gpu, --with-gpu"
            " or --drain."
        )
    return request


def _refuse_missing(request: ControlRequest) -> None:
    named = (("--without-gpu", request.without_gpus), ("--with-gpu", request.with_gpus))
    found = Nvml().found() if any(numbers for _, numbers in named) else ()
    for option, numbers in named:
        refuse_missing(found, option, numbers, lambda it: _may_exist(found, it))


def _may_exist(found: Sequence[Gpu], number: int) -> bool:
    """Return whether a GPU may exist that was not found: without the library of the driver, none is."""
    return nvidia_device_files.has_device(number) or (
        not found and nvidia_device_files.has_driver()
    )


def _ask(experiment: ExperimentDirectory, request: ControlRequest, *, drain: bool) -> None:
    try:
        if request != ControlRequest():
            experiment.control_file().ask(request, tell_waiting)
        if drain:
            experiment.stop_file().ask(StopLevel.DRAIN.word)
    except OSError as error:
        raise RunDirectoryError(
            f"{experiment.path}: cannot write the request ({error.strerror or error})."
            " Check the permissions and the disk."
        ) from None


def _describe(name: str, request: ControlRequest, drain: object, *, asked: bool) -> str:
    if not asked:
        return f"No orch run executes {name}: nothing was changed."
    parts = []
    if request.workers is not None:
        parts.append(f"{request.workers} worker{'' if request.workers == 1 else 's'}")
    if request.paused is not None:
        parts.append("pause" if request.paused else "resume")
    parts += [f"without GPU {number}" for number in request.without_gpus]
    parts += [f"with GPU {number}" for number in request.with_gpus]
    parts += ["drain"] if drain else []
    return f"Asked every orch run of {name}: {', '.join(parts)}. Runs that have started continue."
