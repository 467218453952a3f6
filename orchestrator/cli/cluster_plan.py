"""What ``orch plan`` says of a cluster: whether Slurm would take the pilots, and the GPU-hours."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.forecast_output import range_as_json
from orchestrator.cli.gpu_hour_limit import forecast_on_cluster
from orchestrator.cli.pilots_output import tell_unexported
from orchestrator.slurm.batch_script import write_options
from orchestrator.slurm.commands import Slurm, wait_for

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.config.slurm_settings import SlurmSettings
    from orchestrator.execution.grid_forecast import Range
    from orchestrator.planning.load import Planned

_SCRIPT: Final = "#!/bin/sh\n"
_START: Final = re.compile(r"to start at (\S+)")
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class SlurmOpinion:
    """What Slurm says of a request for one kind of allocation; ``starts_at`` is empty if unknown."""

    kind: tuple[str, ...]
    is_accepted: bool
    says: str
    starts_at: str = ""


def print_request(planned: Planned, slurm: SlurmSettings, console: Console) -> None:
    """Print for each kind of allocation whether Slurm would take it, and the GPU-hours if known.

    Nothing is submitted.
    """
    tell_unexported(planned, slurm, console)
    for number, opinion in enumerate(ask_slurm(slurm)):
        options = " ".join(opinion.kind)
        name = f"kind {number + 1}, {options}" if len(slurm.kinds) > 1 else options
        line = f"slurm: {f'{name}: ' if name else ''}{opinion.says}"
        style = "dim" if opinion.is_accepted else "yellow"
        console.print(Text(line, style=style))
    if hours := _gpu_hours(planned):
        text = f"slurm: about {hours.expected:.3g} GPU-hours ({hours.low:.3g} to {hours.high:.3g})"
        console.print(Text(f"{text}, with one GPU per run", style="dim"))


def request_as_json(planned: Planned, slurm: SlurmSettings) -> dict[str, object]:
    """Return the same for ``orch plan --json``."""
    hours = _gpu_hours(planned)
    return {
        "pilots": slurm.pilots,
        "kinds": [
            {
                "sbatch": list(each.kind),
                "accepted": each.is_accepted,
                "says": each.says,
                "starts_at": each.starts_at or None,
            }
            for each in ask_slurm(slurm)
        ],
        "gpu_hours": hours and range_as_json(hours),
    }


def ask_slurm(slurm: SlurmSettings) -> list[SlurmOpinion]:
    """Ask Slurm whether it would take each kind of allocation, and when; nothing is submitted."""
    return [_ask(kind, slurm) for kind in slurm.kinds]


def _ask(kind: tuple[str, ...], slurm: SlurmSettings) -> SlurmOpinion:
    if not shutil.which("sbatch"):
        why = "this host has no sbatch, so the request cannot be checked"
        return SlurmOpinion(kind, is_accepted=False, says=why)
    answer = wait_for(Slurm().test(write_options(slurm, kind, os.environ), _SCRIPT))
    if answer.is_given:
        found = _START.search(answer.output)
        at = found[1] if found else ""
        says = f"a pilot could start at {at}" if at else "Slurm takes it"
        return SlurmOpinion(kind, is_accepted=True, says=says, starts_at=at)
    says = "Slurm does not answer" if answer.is_none else f"Slurm refuses it: {answer.refusal}"
    return SlurmOpinion(kind, is_accepted=False, says=says)


def _gpu_hours(planned: Planned) -> Range | None:
    """Return the GPU-hours of a plan with one GPU per run; None if they are not known."""
    forecast = forecast_on_cluster(planned)
    if forecast and forecast.slot_time and forecast.is_whole:
        return forecast.slot_time.times(1 / _HOUR)
    return None
