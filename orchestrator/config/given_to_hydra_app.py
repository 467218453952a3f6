"""What the config of a Hydra app gets, so that the app need not have it: folder, name, command.

The app composes its config itself, from the same folder and overrides.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from omegaconf import DictConfig, OmegaConf, open_dict

from orchestrator.config.starting_digest import add_digest
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.config.hydra_app import HydraApp

RESULTS_DIR: Final = "results"
OUTPUT: Final = "hydra.run.dir={run_dir}/output"
_SINGLE: Final = "hydra.mode=RUN"  # even if the config of the app says MULTIRUN
# Where a config refers to its sweep, that has the same values in the app as in the recorded config.
_SWEEP: Final = ("hydra.sweep.dir={run_dir}/..", "hydra.sweep.subdir='{run_id}'")
_REFERENCE: Final = "{hydra:sweep."
_SETTINGS: Final = "orch"


class AppDefaults:
    """Completes composed configs whose program is a Hydra app, and leaves others unchanged.

    Args:
        program: The app that the command line names; empty: that in ``orch.app``, if any.
        folder: The folder that configs are composed from; None: they are defined in Python.
        config_name: The primary config.
    """

    def __init__(self, program: str, folder: Path | None, config_name: str) -> None:
        self._program = program
        self._folder = folder
        self._config_name = config_name
        self._apps: dict[tuple[str, str], HydraApp | None] = {}

    def app_of(self, cfg: DictConfig) -> HydraApp | None:
        """Return the app that a config belongs to; None if its program is not one.

        Raises:
            ConfigError: It names an app that does not exist.
        """
        settings = cfg.get(_SETTINGS)
        named, entry_point = (
            str(settings.get(key) or "") if isinstance(settings, DictConfig) else ""
            for key in ("app", "entry_point")
        )
        program = self._program or named
        key = program, entry_point
        if any(key) and key not in self._apps:
            from orchestrator.config.hydra_app import find_app, find_app_function  # noqa: PLC0415 # apps only

            app = find_app_function(entry_point) if entry_point else None
            self._apps[key] = app or (find_app(program, self._config_name) if program else None)
        return self._apps.get(key)

    def complete(self, cfg: DictConfig) -> None:
        """Add to a config what it does not set: of an app, the names of its results and how it is started.

        Of the trainer, the digest of the weights to begin with.

        Raises:
            ConfigError: It names an app that does not exist.
        """
        app = self.app_of(cfg)
        if app is None:
            add_digest(cfg)
            return
        from orchestrator.config.hydra_app import start_command  # noqa: PLC0415 # as above

        with open_dict(cfg):
            for key, value in (("results_dir", RESULTS_DIR), ("experiment_id", app.name)):
                if key not in cfg.keys():  # noqa: SIM118 # a key without a value is there
                    cfg[key] = value
            if cfg.get(_SETTINGS) is None:
                cfg[_SETTINGS] = {}
            settings = cfg[_SETTINGS]
            if self._program:
                settings["app"] = self._program
            arguments = [*self._place(app), "{overrides}", *folders_of_a_run(cfg), _SINGLE]
            if settings.get("entry_point") is not None:
                if settings.get("arguments") is None:
                    settings["arguments"] = arguments
            elif settings.get("command") is None:
                settings["command"] = [*start_command(settings["app"]), *arguments]

    def _place(self, app: HydraApp) -> list[str]:
        """Return the arguments with which an app finds this config, if it would take another."""
        found = []
        if self._folder is not None and self._folder.resolve() != app.config_dir:
            beside = os.path.relpath(self._folder.resolve(), os.path.realpath(app.file.parent))
            found.append(f"--config-path={beside}")
        if self._config_name.removesuffix(".yaml") != (app.config_name or "").removesuffix(".yaml"):
            found.append(f"--config-name={self._config_name}")
        return found


def folders_of_a_run(cfg: DictConfig) -> tuple[str, ...]:
    """Return the overrides that name the folders of a run to an app with this config."""
    refers = _REFERENCE in str(OmegaConf.to_container(cfg))
    return (OUTPUT, *_SWEEP) if refers else (OUTPUT,)


def find_config(
    program: str, folder: Path | None, config_name: str | None
) -> tuple[Path | None, str, str | None]:
    """Return config folder, config name and ``version_base`` of an app; what is given takes precedence.

    Raises:
        ConfigError: There is no such app, or its source does not say it and it is not given.
    """
    from orchestrator.config.hydra_app import find_app  # noqa: PLC0415 # as above

    app = find_app(program, config_name)
    unknown = dict(app.unknown)
    if folder is None and "config_path" in unknown:
        raise ConfigError(f"{unknown['config_path']}. Give the config folder with --config-dir.")
    if config_name is None and "config_name" in unknown:
        raise ConfigError(f"{unknown['config_name']}. Give the primary config with --config-name.")
    name = config_name or app.config_name
    if name is None:
        raise ConfigError(
            f"{program} has no config_name in @hydra.main. Give its primary config with --config-name."
        )
    return folder or app.config_dir, name, app.version_base
