"""The batch script of pilots, and the options with which it is submitted."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from orchestrator.slurm.durations import format_time
from orchestrator.slurm.submission_records import PilotsFolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestrator.config.slurm_settings import SlurmSettings
    from orchestrator.slurm.submission_records import PilotToken

NONCE: Final = "ORCH_PILOT"  # the variable that tells a pilot which token it belongs to
# What the environment of a user consists of; nothing else reaches a pilot unless it is named.
_EXPORTED: Final = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "SHELL"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYTHONPATH", "PYTHONHASHSEED"),
    *("LD_LIBRARY_PATH", "MODULEPATH", "LOADEDMODULES"),
)


@dataclass(frozen=True, slots=True)
class PilotCommand:
    """What a pilot executes: the work in an experiment's folder, from the project's folder."""

    experiment: Path
    project: Path
    most_runs: int | None = None


def write_script(command: PilotCommand, settings: SlurmSettings, nonce: str) -> str:
    """Return the batch script.

    ``exec`` lets the worker be the process that Slurm sends its signals to.
    """
    words = [sys.executable, "-P", "-m", "orchestrator", "work", str(command.experiment)]
    if command.most_runs is not None:
        words += ["--runs", str(command.most_runs)]
    lines = [
        "#!/bin/bash",
        f"cd {shlex.quote(str(command.project))} || exit",
        f"export {NONCE}={nonce}",
        *settings.setup,
        f"exec {shlex.join(words)}",
    ]
    return "\n".join(lines) + "\n"


def write_options(
    settings: SlurmSettings, kind: Sequence[str], environment: Mapping[str, str]
) -> list[str]:
    """Return the options that each submission has: those of its kind, and ours, which win."""
    names = [*_EXPORTED, *settings.export, "SLURM_CONF"]
    exported = ",".join(dict.fromkeys(name for name in names if name in environment)) or "NONE"
    options = [
        *kind,
        "--no-requeue",
        f"--signal=B:TERM@{int(settings.grace)}",
        f"--export={exported}",
    ]
    if settings.time is not None:
        options.append(f"--time={format_time(settings.time)}")
    return options


def find_unexported(settings: SlurmSettings, names: Iterable[str]) -> list[str]:
    """Return those of some environment variables that no pilot gets, as far as is known here."""
    sent = {*_EXPORTED, *settings.export}
    set_up = "\n".join(settings.setup)
    return sorted(name for name in {*names} - sent if not re.search(rf"\b{name}=", set_up))


def options_of(
    token: PilotToken, log: str, common: Sequence[str], bad_nodes: Sequence[str]
) -> list[str]:
    """Return the options of one submission."""
    options = [
        *common,
        f"--job-name={token.name}",
        f"--array=0-{token.count - 1}",
        f"--output={log}",
    ]
    if bad_nodes:  # the last such option holds
        options.append(f"--exclude={','.join((*_excluded(common), *bad_nodes))}")
    return options


def _excluded(options: Sequence[str]) -> Iterator[str]:
    """Yield what the user's options exclude already."""
    for option, following in zip_longest(options, options[1:], fillvalue=""):
        if option in {"--exclude", "-x"}:
            yield following
        elif option.startswith(("--exclude=", "-x")):
            yield option.removeprefix("--exclude=").removeprefix("-x")


def note_begin(experiment: Path, environment: Mapping[str, str]) -> None:
    """Record that this process begins to start runs, if it is a pilot.

    Raises:
        OSError: It cannot be written.
    """
    if nonce := environment.get(NONCE, ""):
        PilotsFolder(experiment).note_begin(nonce, place_of(environment))


def note_refusal(experiment: Path, environment: Mapping[str, str], why: str) -> None:
    """Record why this process starts nothing, if it is a pilot, for the process that submitted it.

    Raises:
        OSError: It cannot be written.
    """
    if nonce := environment.get(NONCE, ""):
        PilotsFolder(experiment).note_refusal(nonce, place_of(environment), why)


def place_of(environment: Mapping[str, str]) -> int:
    """Return the place of this process in its array of jobs; 0 outside of one."""
    place = environment.get("SLURM_ARRAY_TASK_ID", "")
    return int(place) if place.isdecimal() else 0


def is_withdrawn(experiment: Path, environment: Mapping[str, str]) -> bool:
    """Return whether this process is a pilot that is not needed any more."""
    nonce = environment.get(NONCE, "")
    return bool(nonce) and PilotsFolder(experiment).is_withdrawn(nonce)
