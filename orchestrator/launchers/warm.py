"""The warm launcher: forks runners from a process that has already loaded the training stack.

Importing PyTorch and its dependencies takes seconds, a fork takes milliseconds. The fork server
(that of ``multiprocessing``) loads modules and does nothing else: neither CUDA contexts nor threads
survive a fork.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.config import orch_settings
from orchestrator.config.command_placeholders import ARGUMENTS, fill_in
from orchestrator.errors import PreloadError
from orchestrator.launchers.code_description import NO_DESCRIPTION, CodeDescription, targets_in
from orchestrator.launchers.forkserver_handle import ForkServer
from orchestrator.launchers.pool import Pool
from orchestrator.runner import forked_runner, forkserver_preload
from orchestrator.runner.entry_point_call import EntryPoint
from orchestrator.runner.time_limits import NO_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.execution.stop_requests import StopRequests
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run
    from orchestrator.launchers.pool import ForkedRunner
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.runner.time_limits import Limits

TRAINER: Final = EntryPoint(orch_settings.TRAINER, ("{run_dir}",), leaves_results=True)
TRAINING_STACK: Final = ("trainer.preload", "trainer.trainer", "trainer.__main__")
HYDRA: Final = ("orchestrator.launchers.hydra_preload",)
_OURS: Final = (
    *("orchestrator.runner.takeover", "orchestrator.runner.forked_runner", "filelock"),
    *("orchestrator.runner.error_line", "orchestrator.runner.divergence_messages"),
    *("multiprocessing.popen_fork", "multiprocessing.popen_forkserver"),
    "orchestrator.cli.main",  # a fork imports the main module again, and that imports this
)
# Packages that may be imported before a fork: they start no threads and do not use the GPU.
_HARMLESS: Final = ("trainer.", "torchmetrics.")
# A module inside the package: the trainer replaces the package itself by a stub.
_COMPILER: Final = "torch._dynamo.eval_frame"
_TRIES: Final = 6
_PATIENCE: Final = 2.0  # far longer than a fork takes
_PAUSE: Final = 0.1  # for the system to notice that a process is gone
_DIED: Final = "the fork server died while loading them; its output is above\n"


def modules_named_by(configs: Iterable[Mapping[str, Value]]) -> tuple[str, ...]:
    """Return the modules that runs with these configs import, if they may be loaded before a fork.

    Modules of the user are loaded before a fork only if ``orch.preload`` names them.
    """
    configs = list(configs)
    targets = (target for config in configs for target in targets_in(config))
    modules = {target.rpartition(".")[0] for target in targets if target.startswith(_HARMLESS)}
    if any(config.get("compile") is True for config in configs):
        modules.add(_COMPILER)
    return tuple(f"{forkserver_preload.OPTIONAL}{module}" for module in sorted(modules))


class WarmAttempt:
    """An attempt that a forked runner carries out."""

    def __init__(self, runner: ForkedRunner, pool: Pool) -> None:
        self._runner = runner
        self._pool = pool

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the attempt is over."""
        return self._runner.fileno()

    def ask_to_stop(self) -> None:
        """Ask the program to stop at its next checkpoint."""
        self._runner.send(signal.SIGTERM)

    def end_at_once(self) -> None:
        """Have the runner kill the program and record that."""
        self._runner.send(signal.SIGQUIT)

    def abandon(self) -> None:
        """Kill the runner, which did not respond, and its keeper."""
        self._runner.kill()

    def close(self) -> str:
        """Give the runner back to the pool, and return its error, if any."""
        complaint = self._runner.answer()
        self._pool.take_back(self._runner)
        return complaint


class WarmLauncher:
    """Calls one entry point for every attempt, with the placeholders of its arguments filled in."""

    def __init__(
        self,
        entry_point: EntryPoint = TRAINER,
        modules: tuple[str, ...] = TRAINING_STACK,
        limits: Limits = NO_LIMITS,
        code: CodeDescription = NO_DESCRIPTION,
    ) -> None:
        self._code = code
        self._entry_point = entry_point
        self._limits = limits
        self._modules = (*_OURS, *modules)
        self._context = multiprocessing.get_context("forkserver")
        self._server = ForkServer(self._modules)
        self._pool = Pool(self._server)

    def warm_up(self, stop: StopRequests) -> None:
        """Wait until the modules are loaded, or the user asks to stop.

        Raises:
            PreloadError: A module cannot be loaded, so every run would fail.
            OSError: No process could be started.
        """
        self._server.heed(stop, patience=0.0)
        # The server or the probe may be killed by chance; modules that crash do so every time.
        told = (self._ask_for_failure() for _ in range(_TRIES))
        failure = next((each for each in told if each is not None), _DIED)
        self._server.heed(stop, patience=_PATIENCE)
        if failure and not stop.asked:
            wanted = self._modules[len(_OURS) :]
            needed = ", ".join(
                each for each in wanted if not each.startswith(forkserver_preload.OPTIONAL)
            )
            what = f"cannot load the modules that every run needs ({needed}):\n"
            raise PreloadError(f"{what}{failure}" if "\n" in failure else failure)

    def _ask_for_failure(self) -> str | None:
        """Return the error of loading, an empty string if none, None if the probe died."""
        receiver, sender = self._context.Pipe(duplex=False)
        probe = self._context.Process(
            target=forked_runner.tell_failure, args=(sender,), daemon=True
        )
        with receiver:
            try:
                # The first fork starts only once everything is loaded.
                self._server.fork(probe, sender)
                return str(receiver.recv())
            except InterruptedError:
                return ""
            except (EOFError, ConnectionError):
                time.sleep(_PAUSE)
                return None
            except OSError as error:
                return f"{error}\n"

    def start(
        self, run: Run, directory: RunDirectory, attempt: int, environment: Mapping[str, str]
    ) -> WarmAttempt:
        """Start an attempt and return at once.

        Raises:
            OSError: No process could be started.
            ConfigError: A placeholder names a key that the run's config does not have.
        """
        arguments = fill_in(self._entry_point.arguments, run, directory.path, ARGUMENTS)
        program = replace(self._entry_point, arguments=arguments)
        described = self._code.environment(
            run,
            (ARGUMENTS, self._entry_point.arguments),
            arguments,
            str(directory.path),
            self._entry_point.name,
        )
        order = forked_runner.AttemptRequest(
            directory.path, attempt, program, self._limits, {**environment, **described}
        )
        return WarmAttempt(self._pool.give(order), self._pool)

    def make_ready(self) -> None:
        """Keep a runner ready that has already forked the next program.

        Raises:
            OSError: No process could be started.
        """
        self._pool.keep_one_ready()

    def close(self) -> None:
        """Wait until all runners have ended."""
        self._pool.close()
