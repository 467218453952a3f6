"""The settings ``orch.slurm``: the allocations in which a cluster executes runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from orchestrator.config.quantities import parse_count, parse_duration
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value

SLURM_KEYS: Final = (
    *("pilots", "queued", "time", "grace", "runs", "sbatch", "setup", "export", "on_interrupt"),
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GRACE: Final = 120.0
# What orch relies on, and the settings that say it.
_OURS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("--time", "-t"), "time"),
    "--signal": "grace",
    "--export": "export",
    **dict.fromkeys(("--array", "-a"), "pilots"),
    **dict.fromkeys(("--job-name", "-J", "--output", "-o", "--error", "-e", "--chdir", "-D"), ""),
    **dict.fromkeys(("--requeue", "--no-requeue", "--parsable", "--wrap", "--wait", "-W"), ""),
    **dict.fromkeys(("--test-only", "--nodes", "-N", "--ntasks", "-n"), ""),
}


class OnInterrupt(Enum):
    """What Ctrl-C does to the pilots."""

    DETACH = "detach"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class SlurmSettings:
    """The settings ``orch.slurm``.

    ``pilots`` is how many allocations execute runs at once, ``queued`` how many of them may be
    waiting at a time; ``time`` the seconds of each, of which ``grace`` are kept for the last
    checkpoint; ``runs`` how many runs each takes (None: until none is left). ``kinds`` are the options of ``sbatch``, one list
    per kind of allocation, used in turn. ``setup`` are lines of the batch script, ``export`` the
    environment variables that it gets.
    """

    pilots: int = 1
    queued: int = 2
    time: float | None = None
    grace: float = _GRACE
    runs: int | None = None
    kinds: tuple[tuple[str, ...], ...] = ((),)
    setup: tuple[str, ...] = ()
    export: tuple[str, ...] = ()
    on_interrupt: OnInterrupt = OnInterrupt.DETACH


def parse_slurm(slurm: Mapping[str, Value]) -> SlurmSettings:
    """Validate the settings ``orch.slurm`` and return them.

    Raises:
        ConfigError: A value has the wrong type.
    """
    time = None if slurm.get("time") is None else parse_duration(slurm["time"], "orch.slurm.time")
    grace = slurm.get("grace")
    seconds = _GRACE if grace is None else parse_duration(grace, "orch.slurm.grace")
    if time is not None and seconds >= time:
        raise ConfigError(
            f"orch.slurm.grace is {seconds:g} s, and orch.slurm.time is {time:g} s, so nothing could be"
            " executed. Set grace to less."
        )
    return SlurmSettings(
        pilots=parse_count(slurm.get("pilots"), "orch.slurm.pilots") or 1,
        queued=parse_count(slurm.get("queued"), "orch.slurm.queued") or 2,
        time=time,
        grace=seconds,
        runs=parse_count(slurm.get("runs"), "orch.slurm.runs"),
        kinds=_kinds(slurm.get("sbatch") or []),
        setup=_lines(slurm.get("setup") or [], "orch.slurm.setup"),
        export=_names(slurm.get("export") or []),
        on_interrupt=_on_interrupt(slurm.get("on_interrupt")),
    )


def _kinds(node: Value) -> tuple[tuple[str, ...], ...]:
    if not isinstance(node, list):
        raise ConfigError("orch.slurm.sbatch is not a list. Write it as [--partition=gpu, ...].")
    lists = node if node and all(isinstance(each, list) for each in node) else [node]
    return tuple(_options(each) for each in lists)


def _options(node: Value) -> tuple[str, ...]:
    options = _lines(node, "orch.slurm.sbatch")
    for each in options:
        name = each.partition("=")[0] if each.startswith("--") else each[:2]
        if name in _OURS:
            setting = _OURS[name]
            advice = f"Set orch.slurm.{setting} instead." if setting else "Remove it: orch sets it."
            raise ConfigError(f"orch.slurm.sbatch has {each}. {advice}")
    return options


def _lines(node: Value, where: str) -> tuple[str, ...]:
    if not isinstance(node, list) or not all(isinstance(each, str) for each in node):
        raise ConfigError(f"{where} is not a list of strings. Write it as [first, second].")
    if any("\n" in str(each) for each in node):
        raise ConfigError(f"{where} has a line break in a string. Write one string per line.")
    return tuple(map(str, node))


def _names(node: Value) -> tuple[str, ...]:
    names = _lines(node, "orch.slurm.export")
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"orch.slurm.export has {name!r}, which is not the name of an environment variable."
                " Name variables only: their values are those of the environment of orch run."
            )
    return names


def _on_interrupt(value: Value) -> OnInterrupt:
    if value is None:
        return OnInterrupt.DETACH
    try:
        return OnInterrupt(value)
    except ValueError:
        raise ConfigError(
            f"orch.slurm.on_interrupt is {value!r}. Set it to detach or cancel."
        ) from None
