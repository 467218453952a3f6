"""The config of the launcher, under ``hydra.launcher``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional


@dataclass
class OrchLauncherConfig:
    """The settings of the launcher; None: the setting of ``orch``, or its default.

    ``results_dir`` and ``experiment_id`` name the folder of the results: ``results`` and the app's
    name by default. ``tracking`` reports the runs to MLflow when a batch ends.
    """

    _target_: str = "hydra_plugins.orch_launcher.orch_launcher.OrchLauncher"
    results_dir: Optional[str] = None  # noqa: UP045 # OmegaConf reads these types at runtime
    experiment_id: Optional[str] = None  # noqa: UP045
    workers: Optional[int] = None  # noqa: UP045
    gpus: Any = None
    threads: Optional[int] = None  # noqa: UP045
    order: Optional[str] = None  # noqa: UP045
    timeout: Any = None
    no_progress: Any = None
    retries: Optional[int] = None  # noqa: UP045
    max_failures: Optional[int] = None  # noqa: UP045
    fail_fast: bool = False
    quiet: bool = False
    tracking: bool = False
