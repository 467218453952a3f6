"""The settings under ``orch:`` in the config: how runs are carried out, never what they compute."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError
from orchestrator.grid.config_values import show
from orchestrator.runner.time_limits import NO_LIMITS, Limits

if TYPE_CHECKING:
    from orchestrator.grid.config_values import Value


ARGUMENT: Final = (str, bool, int, float)  # what an argument of a program can be in a config
DECLARED: Final = "declared"
CHEAP: Final = "cheap"
ROUND_ROBIN: Final = "round-robin"
_FORMS: Final = f"{DECLARED}, {CHEAP}:KEY or {ROUND_ROBIN}:AXIS"

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_BYTES: Final = {"MB": 10**6, "MIB": 1 << 20, "GB": 10**9, "GIB": 1 << 30}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) *([MG]i?B)", re.IGNORECASE)
_ENTRY_POINT: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_KNOWN: Final = (
    "command",
    "entry_point",
    "arguments",
    "preload",
    "workers",
    "gpus",
    "threads",
    "gpu_memory",
    "timeout",
    "no_progress",
    "grace",
    "retries",
    "max_failures",
    "order",
    "identity",
    "tracking",
)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?) *([smhd]) *")


@dataclass(frozen=True, slots=True)
class Tracking:
    """Whether and where runs are reported; no ``uri`` means SQLite under ``results_dir``.

    ``artifacts``: config, results and logs are kept with the run, ``checkpoint``: the best one too.
    """

    enabled: bool = True
    uri: str | None = None
    artifacts: bool = True
    checkpoint: bool = False


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """What carries out an attempt: a command, or a Python function, or (neither) our trainer.

    ``preload`` are the modules that are loaded once for all calls of the function.
    """

    command: tuple[str, ...] | None = None
    entry_point: str | None = None
    arguments: tuple[str, ...] = ("{run_dir}",)
    preload: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """What runs get of the machine.

    ``workers`` is how many run at once (none: one a GPU, or one a processor), ``gpus`` which they
    may use (none: all there are), ``threads`` the CPU threads of one (none: an equal share), and
    ``gpu_memory`` the bytes it needs on a GPU that others use as well (none: a tenth).
    """

    workers: int | None = None
    gpus: str | None = None
    threads: int | None = None
    gpu_memory: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a run is repeated within one call, and after how many failures the call ends."""

    retries: int = 0
    most_failures: int | None = None


NO_RETRIES: Final = Policy()


@dataclass(frozen=True, slots=True)
class RunOrder:
    """How to order runs; ``key`` is the dotted key to order by."""

    kind: str = DECLARED
    key: str = ""


AS_DECLARED: Final = RunOrder()


@dataclass(frozen=True, slots=True)
class Settings:
    """What stands under ``orch:``.

    ``identity_exclude`` are dotted keys that do not count for the run ID, ``limits`` what an
    attempt may take before it is ended.
    """

    program: ProgramSettings = ProgramSettings()
    share: Share = Share()
    limits: Limits = NO_LIMITS
    policy: Policy = NO_RETRIES
    order: RunOrder = AS_DECLARED
    identity_exclude: tuple[str, ...] = ()
    tracking: Tracking = Tracking()


def parse_settings(node: Value) -> Settings:
    """Check what the config says under ``orch:`` and return it as a value.

    Raises:
        ConfigError: A key is unknown, or a value has the wrong type.
    """
    orch = _section(node, "orch", _KNOWN)
    identity = _section(orch.get("identity"), "orch.identity", ("exclude",))
    durations = {
        name: parse_duration(orch[name], f"orch.{name}")
        for name in ("timeout", "no_progress", "grace")
        if orch.get(name) is not None
    }
    return Settings(
        program=_parse_program(orch),
        share=_parse_share(orch),
        limits=Limits(**durations),
        policy=_parse_policy(orch),
        order=parse_order(orch.get("order") or DECLARED, "orch.order"),
        identity_exclude=_texts(identity.get("exclude") or [], "orch.identity.exclude"),
        tracking=_parse_tracking(orch.get("tracking")),
    )


def _parse_program(orch: Mapping[str, Value]) -> ProgramSettings:
    command, entry_point = orch.get("command"), orch.get("entry_point")
    if command is not None and entry_point is not None:
        raise ConfigError("orch.command and orch.entry_point are both given. Choose one.")
    if entry_point is not None and not (
        isinstance(entry_point, str) and _ENTRY_POINT.fullmatch(entry_point)
    ):
        raise ConfigError(
            f"orch.entry_point is {entry_point!r}. Make it a function, as package.module:function."
        )
    arguments = orch.get("arguments")
    return ProgramSettings(
        command=None if command is None else _command(command),
        entry_point=entry_point,
        arguments=("{run_dir}",) if arguments is None else _arguments(arguments, "orch.arguments"),
        preload=_texts(orch.get("preload") or [], "orch.preload"),
    )


def _command(node: Value) -> tuple[str, ...]:
    command = _arguments(node, "orch.command")
    if not command:
        raise ConfigError("orch.command is empty. Begin it with a program, or make it null.")
    return command


def _parse_share(orch: Mapping[str, Value]) -> Share:
    gpus, memory = orch.get("gpus"), orch.get("gpu_memory")
    if isinstance(gpus, list):
        gpus = ",".join(map(str, gpus))
    return Share(
        workers=parse_count(orch.get("workers"), "orch.workers"),
        gpus=None if gpus is None else str(gpus),
        threads=parse_count(orch.get("threads"), "orch.threads"),
        gpu_memory=None if memory is None else parse_memory(memory, "orch.gpu_memory"),
    )


def _parse_policy(orch: Mapping[str, Value]) -> Policy:
    return Policy(
        retries=parse_count(orch.get("retries"), "orch.retries", least=0) or 0,
        most_failures=parse_count(orch.get("max_failures"), "orch.max_failures"),
    )


def _parse_tracking(node: Value) -> Tracking:
    tracking = _section(node, "orch.tracking", ("enabled", "uri", "artifacts", "checkpoint"))
    switches = {"enabled": True, "artifacts": True, "checkpoint": False}
    for name, default in switches.items():
        value = tracking.get(name, default)
        if not isinstance(value, bool):
            raise ConfigError(f"orch.tracking.{name} is {value!r}. Make it true or false.")
        switches[name] = value
    uri = tracking.get("uri")
    if not (uri is None or isinstance(uri, str)):
        raise ConfigError("orch.tracking.uri is no text. Make it an MLflow tracking URI, or null.")
    return Tracking(uri=uri, **switches)


def parse_count(value: Value, where: str, *, least: int = 1) -> int | None:
    """Return a number of things; ``where`` names its place for the error.

    Raises:
        ConfigError: It is not a whole number of ``least`` or more.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise ConfigError(f"{where} is {value!r}. Make it a whole number, {least} or more.")


def parse_memory(value: Value, where: str) -> int:
    """Return a size in bytes; ``where`` names its place for the error.

    Raises:
        ConfigError: It is neither a positive number of bytes nor a text such as ``8 GiB``.
    """
    if isinstance(value, int) and value is not True and value > 0:
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found and float(found[1]) > 0:
        return int(float(found[1]) * _BYTES[found[2].upper()])
    raise ConfigError(f"{where} is {value!r}. Make it bytes, or a text such as 8 GiB.")


def parse_duration(value: Value, where: str) -> float:
    """Return a duration in seconds; ``where`` names its place for the error.

    Raises:
        ConfigError: It is neither a positive number of seconds nor a text such as ``1h30m``.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf:
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if text and not _PART.sub("", text):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        if seconds > 0:
            return seconds
    raise ConfigError(f"{where} is {value!r}. Make it seconds, or a text such as 90s or 1h 30m.")


def _section(node: Value, where: str, known: tuple[str, ...]) -> Mapping[str, Value]:
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where} is no mapping. Give it keys: {', '.join(known)}.")
    for key in node:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known are {', '.join(known)}."
            raise ConfigError(f"{where} has no setting '{key}'. {hint}")
    return node


def _arguments(node: Value, where: str) -> tuple[str, ...]:
    """Return arguments of a program; numbers and booleans, as references make them, as text."""
    if isinstance(node, list) and all(isinstance(item, ARGUMENT) for item in node):
        return tuple(item if isinstance(item, str) else show(item) for item in node)
    return _texts(node, where)


def _texts(node: Value, where: str) -> tuple[str, ...]:
    if not isinstance(node, list) or not all(isinstance(item, str) for item in node):
        raise ConfigError(f"{where} is no list of texts. Write it as [first, second].")
    return tuple(str(item) for item in node)


def parse_order(value: object, where: str) -> RunOrder:
    """Return what a text such as ``cheap:iterations`` means; ``where`` names its place.

    Raises:
        ConfigError: It has none of the forms.
    """
    kind, _, key = value.partition(":") if isinstance(value, str) else ("", "", "")
    if (kind == DECLARED and not key) or (kind in (CHEAP, ROUND_ROBIN) and key):
        return RunOrder(kind, key)
    raise ConfigError(f"{where} is {value!r}. Make it {_FORMS}.")
