"""What ``orch plan`` says of a cluster: whether Slurm would take the pilots, and the GPU-hours."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.gpu_hours import forecast_on_cluster
from orchestrator.slurm.batch_script import write_options
from orchestrator.slurm.commands import Slurm, wait_for

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.config.slurm_settings import SlurmSettings
    from orchestrator.planning.load import Planned
    from orchestrator.slurm.commands import SlurmAnswer

_SCRIPT: Final = "#!/bin/sh\n"
_START: Final = re.compile(r"to start at (\S+)")
_HOUR: Final = 3600.0


def print_request(planned: Planned, slurm: SlurmSettings, console: Console) -> None:
    """Print for each kind of allocation whether Slurm would take it, and the GPU-hours if known.

    Nothing is submitted.
    """
    for number, kind in enumerate(slurm.kinds):
        name = f"kind {number + 1}, {' '.join(kind)}" if len(slurm.kinds) > 1 else " ".join(kind)
        text, is_fine = _ask(kind, slurm)
        line = f"slurm: {f'{name}: ' if name else ''}{text}"
        console.print(Text(line, style="dim" if is_fine else "yellow"), soft_wrap=True)
    forecast = forecast_on_cluster(planned)
    if forecast and forecast.slot_time and forecast.is_whole:
        hours = forecast.slot_time.times(1 / _HOUR)
        text = f"slurm: about {hours.expected:.3g} GPU-hours ({hours.low:.3g} to {hours.high:.3g})"
        console.print(Text(f"{text}, with one GPU per run", style="dim"), soft_wrap=True)


def _ask(kind: tuple[str, ...], slurm: SlurmSettings) -> tuple[str, bool]:
    """Return what Slurm says of one allocation of a kind, and whether it would take it."""
    if not shutil.which("sbatch"):
        return "this host has no sbatch, so the request cannot be checked", False
    answer = wait_for(Slurm().test(write_options(slurm, kind, os.environ), _SCRIPT))
    return _understand(answer)


def _understand(answer: SlurmAnswer) -> tuple[str, bool]:
    if answer.is_given:
        found = _START.search(answer.output)
        return f"a pilot could start at {found[1]}" if found else "Slurm takes it", True
    if answer.is_none:
        return "Slurm does not answer", False
    return f"Slurm refuses it: {answer.refusal}", False
