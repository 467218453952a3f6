"""The execution of a batch: plans its runs as ``orch run --app`` would, executes and reports them."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer

from hydra_plugins.orch_launcher import _return_value
from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.commands.run import execute
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.next_command import next_command
from orchestrator.cli.safe_output import HarmlessConsole
from orchestrator.config.given_to_hydra_app import folders_of_a_run
from orchestrator.config.overrides import as_override
from orchestrator.errors import OrchestratorError
from orchestrator.planning.load import ConfigSource
from orchestrator.planning.sweeper_points import plan_given
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from omegaconf import DictConfig

    from orchestrator.planning.sweeper_points import GivenPoint
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory

# Settings of Hydra's that are for the multirun, or that the launcher sets.
_NOT_FORWARDED: Final = (
    *("hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweeper", "hydra.mode"),
    *("hydra.sweep", "hydra.run", "hydra.job.num", "hydra.job.id"),
)
_FLAGS: Final = (
    *("workers", "gpus", "threads", "order", "timeout", "no_progress"),
    *("retries", "max_failures"),
)
_SWITCHES: Final = ("fail_fast", "quiet")
_PLACES: Final = ("results_dir", "experiment_id")

log = logging.getLogger(__name__)


class RunFailedError(CompactHydraException):
    """A run has failed, or was not finished."""


class OrchError(CompactHydraException):
    """The user made an error, which Hydra prints as a line."""


class BatchExecution:
    """Executes batches of points of the app that this process is.

    Args:
        config: The config of the multirun.
        settings: Those of the launcher.
    """

    def __init__(self, config: DictConfig, settings: Mapping[str, Any]) -> None:
        self._task_name = str(config.hydra.job.name)
        self._sweep_dir = Path(str(config.hydra.sweep.dir))
        self._app, start = _find_program()
        self._folder = _config_folder(config)
        self._config_name: str | None = config.hydra.job.config_name
        given = config.hydra.overrides.hydra
        self._forwarded = [str(text) for text in given if not _is_of_multirun(str(text))]
        self._forwarded += _search_path(config)
        self._places = [f"{key}={settings[key]}" for key in _PLACES if settings.get(key)]
        program = [
            *start,
            *_config_flags(),
            "{overrides}",
            *folders_of_a_run(_without_hydra(config)),
        ]
        self._settings = [
            as_override("orch.command", [*program, "hydra.mode=RUN", _return_value.CALLBACK]),
            *([] if settings.get("tracking") else ["orch.tracking.enabled=false"]),
        ]
        self._experiment: ExperimentDirectory | None = None
        self._options = _options(self._app, self._places, settings)
        self._options.typed = ["python", *start[1:], *sys.argv[1:]]

    def execute(self, points: Sequence[GivenPoint], *, is_first: bool) -> list[JobReturn]:
        """Execute points and return what became of each, in their order.

        Raises:
            OrchError: The config or a setting is wrong.
            SystemExit: The user asked to stop.
        """
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            # The kernel would keep no exit code of a run.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # Runs have directories of their own, but a sweeper may write its results there.
        self._sweep_dir.mkdir(parents=True, exist_ok=True)
        try:
            with _own_hydra():
                return self._execute(points, is_first=is_first)
        except OrchestratorError as error:
            raise OrchError(f"orch: {error}") from None

    def _execute(self, points: Sequence[GivenPoint], *, is_first: bool) -> list[JobReturn]:
        overrides = [*self._forwarded, *self._places, *self._settings]
        source = ConfigSource(self._folder, self._config_name, overrides, self._app)
        planned, run_ids = plan_given(source, points)
        if self._experiment is None or self._experiment.path != planned.experiment.path:
            self._experiment = planned.experiment
        planned = replace(planned, experiment=self._experiment)  # joined by an earlier batch
        if is_first:
            log.info(
                "orch: results are in %s; %s shows them",
                planned.experiment.training,
                next_command(self._options, "status"),
            )
        console = HarmlessConsole(width=None if sys.stdout.isatty() else 10_000)
        code = execute(planned, bool, self._options, console, is_summarized=is_first)
        if code == ExitCode.INTERRUPTED:
            sys.exit(code)
        runs = {run.run_id: run for run in planned.plan.selection.runs}
        return [
            self._report(point, planned.experiment.run(run_id), runs[run_id].config)
            for point, run_id in zip(points, run_ids, strict=True)
        ]

    def _report(
        self, point: GivenPoint, directory: RunDirectory, config: Mapping[str, Any]
    ) -> JobReturn:
        """Return what became of a point."""
        seen = directory.observe()
        output = directory.path / "output"
        made = JobReturn(
            overrides=list(point),
            cfg=OmegaConf.create({key: value for key, value in config.items() if key != "orch"}),
            working_dir=str(output),
            task_name=self._task_name,
        )
        with contextlib.suppress(Exception):  # an app may write none, or another one
            made.hydra_cfg = OmegaConf.load(output / ".hydra/hydra.yaml")  # type: ignore[assignment] # a mapping
        if seen.state is State.DONE:
            is_known, value = _return_value.read(directory.path)
            if not is_known:
                log.warning("orch: %s has no recorded return value: None", directory.run_id)
            made.status, made.return_value = JobStatus.COMPLETED, value
        else:
            look = next_command(self._options, "logs", directory.run_id)
            made.status = JobStatus.FAILED
            made.return_value = RunFailedError(f"orch: {seen.reason}. Its output: {look}")
        return made


def _find_program() -> tuple[str, list[str]]:
    """Return the app as ``orch run --app`` names it, and the command that starts it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None:
        return sys.argv[0], [sys.executable, sys.argv[0]]
    module = str(spec.name).removesuffix(".__main__")
    return module, [sys.executable, "-m", module]


def _config_folder(config: DictConfig) -> Path | None:
    """Return the folder that the primary config is in; None if it is defined in Python."""
    for source in config.hydra.runtime.config_sources:
        if source.provider == "main" and source.schema == "file":
            return Path(source.path)
    return None


def _without_hydra(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def _search_path(config: DictConfig) -> list[str]:
    """Return the override that adds the folder of ``--config-dir`` to the config search path."""
    sources = config.hydra.runtime.config_sources
    given = [f"file://{it.path}" for it in sources if it.provider == "command-line"]
    known = [str(path) for path in config.hydra.searchpath or ()]
    return [as_override("hydra.searchpath", [*known, *given])] if given else []


def _config_flags() -> list[str]:
    """Return the options of Hydra's on the command line that say which config is meant."""
    found = vars(get_args_parser().parse_known_args(sys.argv[1:])[0])
    names = ("config_path", "config_name", "config_dir")
    return [f"--{name.replace('_', '-')}={found[name]}" for name in names if found.get(name)]


def _is_of_multirun(override: str) -> bool:
    key = override.partition("=")[0].lstrip("+~").partition("@")[0]
    return any(key == each or key.startswith((f"{each}.", f"{each}/")) for each in _NOT_FORWARDED)


def _options(app: str, places: Sequence[str], settings: Mapping[str, Any]) -> argparse.Namespace:
    """Return the options of ``orch run`` for the settings of the launcher."""
    words = ["run", f"--app={app}", *places]
    for name in _FLAGS:
        value = settings.get(name)
        if value is not None:
            text = ",".join(map(str, value)) if not isinstance(value, str | int | float) else value
            words.append(f"--{name.replace('_', '-')}={text}")
    words += [f"--{name.replace('_', '-')}" for name in _SWITCHES if settings.get(name)]
    return parse_arguments(words)


@contextlib.contextmanager
def _own_hydra() -> Iterator[None]:
    """Keep what ``orch`` composes apart from what this app has composed."""
    instances = Singleton._instances.values()  # noqa: SLF001 # there is no public way
    attributes = [cast("dict[str, Any]", vars(each)) for each in instances]
    states = [dict(each) for each in attributes]
    resolvers = dict(BaseContainer._resolvers)  # noqa: SLF001
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        for each, state in zip(attributes, states, strict=True):
            each.clear()
            each.update(state)
        BaseContainer._resolvers.clear()  # noqa: SLF001
        BaseContainer._resolvers.update(resolvers)  # noqa: SLF001
