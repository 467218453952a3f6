"""The pilots of an experiment on a cluster, as ``orch status`` shows them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.config.settings_as_written import variables_of
from orchestrator.execution.remaining_time import describe_seconds
from orchestrator.slurm.batch_script import find_unexported
from orchestrator.slurm.find_pilots import find_pilots

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from orchestrator.config.slurm_settings import SlurmSettings
    from orchestrator.planning.executable_plan import Work
    from orchestrator.slurm.jobs import Job


def describe_counts(live: int, waiting: int, jobs: Sequence[Job]) -> str:
    """Return how many pilots run and wait, and for what, on one line; empty without pilots."""
    parts = [f"{live} running"] if live else []
    if waiting:
        why = _reasons(jobs)
        parts.append(f"{waiting} waiting{f' ({why})' if why else ''}")
    if not parts:
        return ""
    count = live + waiting
    return f"{count} pilot{'' if count == 1 else 's'}: {', '.join(parts)}"


def _reasons(jobs: Sequence[Job]) -> str:
    """Return Slurm's reasons for which jobs wait, the most frequent first."""
    reasons = Counter(job.reason for job in jobs if job.is_waiting and job.reason != "None")
    return ", ".join(reason for reason, _ in reasons.most_common(2))


def tell_unexported(planned: Work, slurm: SlurmSettings, console: Console) -> None:
    """Print one line if the config refers to environment variables that pilots do not get."""
    if not planned.plan.decisions:
        return
    names = find_unexported(slurm, variables_of(planned.plan.decisions.run(0)))
    if names:
        what = "variable" if len(names) == 1 else "variables"
        text = (
            f"the config refers to the environment {what} {', '.join(names)}, which pilots do not get from"
            " here. Name them in orch.slurm.export, or put them into the file that orch.env_file names."
        )
        console.print(Text(text, style="yellow"))


def print_pilots(experiment: Path, console: Console) -> None:
    """Print one line on the pilots of an experiment, and when the next one starts; if there are any."""
    jobs, problem = find_pilots(experiment)
    if problem:
        console.print(Text(f"pilots: {problem}", style="yellow"))
    live = [job for job in jobs if job.is_live]
    text = describe_counts(len(live), len(jobs) - len(live), jobs)
    if not text:
        return
    if oldest := max((job.seconds for job in live), default=0.0):
        text += f"; the oldest since {describe_seconds(oldest)}"
    if start := min((job.start for job in jobs if job.is_waiting and job.start), default=""):
        text += f"; the next is expected to start at {start}"
    console.print(Text(text))


def pilots_as_json(experiment: Path) -> list[dict[str, object]]:
    """Return the pilots in the queue as ``orch status --json`` prints them."""
    jobs, _ = find_pilots(experiment)
    return [
        {
            "job": job.key,
            "state": job.state,
            "reason": job.reason,
            "node": job.node or None,
            "start": job.start or None,
            "seconds": job.seconds,
        }
        for job in jobs
    ]
