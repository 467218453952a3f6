"""The settings under ``orch:`` in the config: how runs are executed, never what they compute."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.config.metric_patterns import parse_metric_patterns
from orchestrator.config.quantities import parse_count, parse_duration, parse_switch
from orchestrator.config.resource_settings import DEFAULT_SHARE, SHARE_KEYS, Share, parse_share
from orchestrator.config.run_order import AS_DECLARED, DECLARED, RunOrder, parse_order
from orchestrator.config.stop_request_settings import STOP_KEYS, parse_stop_rules
from orchestrator.errors import ConfigError
from orchestrator.grid.config_values import show
from orchestrator.runner.time_limits import NO_LIMITS, Limits

if TYPE_CHECKING:
    from orchestrator.config.halving_settings import Halving
    from orchestrator.config.search_settings import SearchSettings
    from orchestrator.config.slurm_settings import SlurmSettings
    from orchestrator.grid.config_values import Value

TRAINER: Final = "trainer.__main__:main"  # the entry point, where no program is set
ARGUMENT: Final = (str, bool, int, float)  # types of a program's arguments in a config

_ENTRY_POINT: Final = r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*"
_KNOWN: Final = (
    *("app", "setup", "env_file", "command", "entry_point", "arguments", "preload"),
    *SHARE_KEYS,
    *("timeout", "no_progress", "grace", "stop", "retries", "max_failures", "order"),
    *("halving", "extend"),
    *("grids", "zip", "when", "search"),
    *("slurm", "identity", "tracking", "metrics_from_output", "at_end"),
)


@dataclass(frozen=True, slots=True)
class Tracking:
    """Whether and where runs are reported; ``uri`` None: to SQLite under ``results_dir``.

    ``artifacts``: upload config, results and logs. ``checkpoint``: upload the best checkpoint.
    ``share``: programs log to the same MLflow runs themselves.
    """

    enabled: bool = True
    uri: str | None = None
    artifacts: bool = True
    checkpoint: bool = False
    share: bool = False


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """The program of an attempt: a command, a Python function or, if neither, the trainer.

    The command of a Hydra app (``orch.app``) is derived from it, unless the config has its own.
    ``preload`` are modules that are imported once for all runs. ``metrics_from_output`` are the patterns
    that find metrics in what it prints.
    """

    command: tuple[str, ...] | None = None
    entry_point: str | None = None
    arguments: tuple[str, ...] = ("{run_dir}",)
    preload: tuple[str, ...] = ()
    metrics_from_output: tuple[str, ...] = ()

    @property
    def is_trainer(self) -> bool:
        """Whether neither a command nor a function is named."""
        return self.command is None and self.entry_point is None


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a run is retried within one ``orch run``, and after how many failures that ends."""

    retries: int = 0
    most_failures: int | None = None


NO_RETRIES: Final = Policy()


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings under ``orch:``.

    ``identity_exclude`` are dotted keys that are not part of the run ID, ``limits`` the time limits
    of an attempt, ``extend`` whether runs begin with those that differ only in the number of iterations,
    and ``at_end`` is the command that is told how ``orch run`` ended. ``slurm``: a cluster executes the
    runs. ``halving``: only the best runs are trained to the end.
    """

    program: ProgramSettings = ProgramSettings()
    share: Share = DEFAULT_SHARE
    limits: Limits = NO_LIMITS
    policy: Policy = NO_RETRIES
    order: RunOrder = AS_DECLARED
    identity_exclude: tuple[str, ...] = ()
    tracking: Tracking = Tracking()
    at_end: tuple[str, ...] = ()
    slurm: SlurmSettings | None = None
    extend: bool = True
    halving: Halving | None = None
    search: SearchSettings | None = None


def parse_settings(node: Value) -> Settings:
    """Validate the node ``orch:`` of a config and return the settings.

    Raises:
        ConfigError: A key is unknown, or a value has the wrong type.
    """
    orch = _section(node, "orch", _KNOWN)
    identity = _section(orch.get("identity"), "orch.identity", ("exclude",))
    program = _parse_program(orch)
    return Settings(
        program=program,
        share=parse_share(orch),
        limits=_parse_limits(orch, program),
        policy=_parse_policy(orch),
        order=parse_order(orch.get("order") or DECLARED, "orch.order"),
        identity_exclude=_texts(identity.get("exclude") or [], "orch.identity.exclude"),
        tracking=_parse_tracking(orch.get("tracking")),
        at_end=_arguments(orch.get("at_end") or [], "orch.at_end"),
        slurm=_parse_slurm(orch.get("slurm")),
        extend=parse_switch(orch.get("extend"), "orch.extend", default=True),
        halving=_parse_halving(orch.get("halving")),
        search=_parse_search(orch),
    )


# What few grids set is imported where they do.
def _parse_halving(node: Value) -> Halving | None:
    if node is None:
        return None
    from orchestrator.config.halving_settings import parse_halving  # noqa: PLC0415 # as above

    return parse_halving(node, "orch.halving")


def _parse_search(orch: Mapping[str, Value]) -> SearchSettings | None:
    node = orch.get("search")
    if node is None:
        return None
    from orchestrator.config.search_settings import SEARCH_KEYS, parse_search  # noqa: PLC0415 # as above

    return parse_search(_section(node, "orch.search", SEARCH_KEYS))


def _parse_slurm(node: Value) -> SlurmSettings | None:
    if node is None:
        return None
    from orchestrator.config.slurm_settings import SLURM_KEYS, parse_slurm  # noqa: PLC0415 # as above

    return parse_slurm(_section(node, "orch.slurm", SLURM_KEYS))


def _parse_limits(orch: Mapping[str, Value], program: ProgramSettings) -> Limits:
    timeout, no_progress, grace = (
        default if orch.get(name) is None else parse_duration(orch[name], f"orch.{name}")
        for name, default in (("timeout", inf), ("no_progress", inf), ("grace", NO_LIMITS.grace))
    )
    node = _section(orch.get("stop"), "orch.stop", STOP_KEYS)
    stop = parse_stop_rules(node, is_of_trainer=program.is_trainer)
    return Limits(timeout, no_progress, grace, stop)


def _parse_program(orch: Mapping[str, Value]) -> ProgramSettings:
    command, entry_point = orch.get("command"), orch.get("entry_point")
    if command is not None and entry_point is not None:
        raise ConfigError("orch.command and orch.entry_point exclude each other. Choose one.")
    if entry_point is not None and not (
        isinstance(entry_point, str) and re.fullmatch(_ENTRY_POINT, entry_point)
    ):
        raise ConfigError(
            f"orch.entry_point is {entry_point!r}. Set it to a function, as package.module:function."
        )
    arguments = orch.get("arguments")
    return ProgramSettings(
        command=None if command is None else _command(command),
        entry_point=entry_point,
        arguments=("{run_dir}",) if arguments is None else _arguments(arguments, "orch.arguments"),
        preload=_texts(orch.get("preload") or [], "orch.preload"),
        metrics_from_output=parse_metric_patterns(
            orch.get("metrics_from_output"), is_trainer=command is None and entry_point is None
        ),
    )


def _command(node: Value) -> tuple[str, ...]:
    command = _arguments(node, "orch.command")
    if not command:
        raise ConfigError("orch.command is empty. Name a program, or set it to null.")
    return command


def _parse_policy(orch: Mapping[str, Value]) -> Policy:
    return Policy(
        retries=parse_count(orch.get("retries"), "orch.retries", least=0) or 0,
        most_failures=parse_count(orch.get("max_failures"), "orch.max_failures"),
    )


def _parse_tracking(node: Value) -> Tracking:
    switches = {"enabled": True, "artifacts": True, "checkpoint": False, "share": False}
    tracking = _section(node, "orch.tracking", ("enabled", "uri", *list(switches)[1:]))
    for name, default in switches.items():
        where = f"orch.tracking.{name}"
        switches[name] = parse_switch(tracking.get(name), where, default=default)
    uri = tracking.get("uri")
    if not (uri is None or isinstance(uri, str)):
        raise ConfigError(
            "orch.tracking.uri is not a string. Set it to an MLflow tracking URI, or to null."
        )
    return Tracking(uri=uri, **switches)


def _section(node: Value, where: str, known: tuple[str, ...]) -> Mapping[str, Value]:
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where} is not a mapping. Give it the keys {', '.join(known)}.")
    for key in node:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Use one of {', '.join(known)}."
            raise ConfigError(f"{where} has no setting '{key}'. {hint}")
    return node


def _arguments(node: Value, where: str) -> tuple[str, ...]:
    """Return the arguments of a program; numbers and booleans are converted to strings."""
    if isinstance(node, list) and all(isinstance(item, ARGUMENT) for item in node):
        return tuple(item if isinstance(item, str) else show(item) for item in node)
    return _texts(node, where)


def _texts(node: Value, where: str) -> tuple[str, ...]:
    if not isinstance(node, list) or not all(isinstance(item, str) for item in node):
        raise ConfigError(f"{where} is not a list of strings. Write it as [first, second].")
    return tuple(str(item) for item in node)
