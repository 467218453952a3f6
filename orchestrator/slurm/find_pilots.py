"""The pilots of an experiment, as commands see them that do not submit any."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from orchestrator.slurm.commands import Slurm, wait_for
from orchestrator.slurm.jobs import parse_queue
from orchestrator.slurm.submission_records import PilotsFolder

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.slurm.jobs import Job


def withdraw_pilots(experiment: Path) -> tuple[bool, str]:
    """Let pilots that have not started end at once; return whether there may be pilots.

    The second value says why a request could not be written; an empty string if all are.
    """
    folder = PilotsFolder(experiment)
    tokens = [token for token in folder.tokens() if not token.is_over]
    problem = ""
    for token in tokens:
        try:
            folder.withdraw(token)
        except OSError as error:
            problem = f"{folder.path}: cannot write the request ({error.strerror or error})"
    if tokens and shutil.which("scancel"):
        wait_for(Slurm().cancel([token.name for token in tokens], only_pending=True))
    return bool(tokens), problem


def find_pilots(experiment: Path) -> tuple[list[Job], str]:
    """Return the pilots in the queue, and why that is not known, if it is not."""
    names = [token.name for token in PilotsFolder(experiment).tokens() if not token.is_over]
    if not names:
        return [], ""
    if not shutil.which("squeue"):
        return [], "this host has no squeue"
    answer = wait_for(Slurm().queue(names))
    if not answer.is_given:
        return [], f"Slurm does not answer{f' ({answer.refusal})' if answer.refusal else ''}"
    jobs = [job for job in parse_queue(answer.output) if job.name in names]
    return [job for job in jobs if job.is_live or job.is_waiting], ""
