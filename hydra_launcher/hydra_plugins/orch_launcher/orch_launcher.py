"""The launcher: hands a batch of Hydra's multirun to ``orch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher

from hydra_plugins.orch_launcher._launcher_config import OrchLauncherConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from hydra_plugins.orch_launcher._batch_execution import BatchExecution

ConfigStore.instance().store(
    group="hydra/launcher", name="orch", node=OrchLauncherConfig, provider="hydra-orch-launcher"
)


class OrchLauncher(Launcher):
    """Executes the points of a batch as runs of ``orch``, each in a process of its own.

    A run that is done is not executed again: its recorded return value is returned.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 # as its config has them
        super().__init__()
        self._settings = settings
        self._execution: BatchExecution | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Prepare for launching; the task function is called in other processes only."""
        from hydra_plugins.orch_launcher._batch_execution import (  # noqa: PLC0415 # every Hydra app imports this module
            BatchExecution,
        )

        _ = hydra_context, task_function
        self._execution = BatchExecution(config, self._settings)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Execute a batch, and return what became of each of its points.

        Raises:
            OrchError: The config or a setting is wrong.
            RuntimeError: The launcher was not set up.
            SystemExit: The user asked to stop.
        """
        if self._execution is None:
            raise RuntimeError("setup() was not called")
        is_first = initial_job_idx == 0
        return self._execution.execute([tuple(each) for each in job_overrides], is_first=is_first)
