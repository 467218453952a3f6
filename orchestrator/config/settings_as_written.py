"""The settings of prepared work: what stands under ``orch`` in the configs of its runs, as written.

A written config has references to environment variables in place of secrets; they are resolved where
the work is executed.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from orchestrator.config.orch_settings import Settings, parse_settings
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run

_OWN: Final = ("command", "arguments")  # may differ between runs
_ENV_FILE: Final = "env_file"
_READ: Final = re.compile(r"\$\{oc\.env: *([A-Za-z_][A-Za-z0-9_]*) *\}")  # without a default
_NOT_FOUND: Final = re.compile(r"Environment variable '([^']+)' not found")


def settings_of(run: Run) -> Mapping[str, Value]:
    """Return what stands under ``orch`` in the written config of a run."""
    found = run.written.get("orch")
    return found if isinstance(found, dict) else {}


def own_settings(run: Run, shared: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the settings that a run has for itself, where they differ from those of the experiment."""
    mine = settings_of(run)
    return {key: mine[key] for key in _OWN if key in mine and mine[key] != shared.get(key)}


def variables_of(run: Run) -> frozenset[str]:
    """Return the environment variables that a run needs, without those in the file of variables."""
    names = frozenset(_READ.findall(repr(dict(run.written))))
    env_file = settings_of(run).get(_ENV_FILE)
    if names and isinstance(env_file, str):
        from dotenv import dotenv_values  # noqa: PLC0415 # only for those who have such a file

        names -= dotenv_values(os.path.expanduser(env_file)).keys()  # noqa: PTH111 # a string
    return names


def open_settings(written: Mapping[str, Value], where: str) -> Settings:
    """Return the settings of the work, after loading the file of variables that they name.

    Raises:
        ConfigError: A variable is not set here, or a setting is wrong.
    """
    if isinstance(env_file := written.get(_ENV_FILE), str):
        from orchestrator.config.project_setup import load_environment  # noqa: PLC0415 # imports Hydra

        load_environment(env_file)
    return parse_settings(resolve_written({"orch": dict(written)}, where)["orch"])


def resolve_written(written: Mapping[str, Value], where: str) -> Mapping[str, Value]:
    """Return a written config with its references resolved; ``where`` names it in errors.

    Raises:
        ConfigError: A variable that it refers to is not set here.
    """
    if "${" not in repr(written):  # as in most runs; a pilot reads thousands of them at its start
        return written
    try:
        found: Any = OmegaConf.to_container(OmegaConf.create(dict(written)), resolve=True)
    except OmegaConfBaseException as error:
        if missing := _NOT_FOUND.search(str(error)):
            raise ConfigError(
                f"{where}: the environment variable {missing[1]} is not set here. Set it on this machine,"
                " too; for pilots, name it in orch.slurm.export, or in the file that orch.env_file names."
            ) from None
        what = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(f"{where}: {what}. Set what it refers to on this machine, too.") from None
    return cast("Mapping[str, Value]", found)
