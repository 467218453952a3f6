"""The folder of an experiment: the config's ``results_dir`` and ``experiment_id``, checked."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.grid.config_values import Value

_LONGEST: Final = 255  # bytes; the limit of file systems for a name
_SHOWN: Final = 80
_ADDRESS: Final = re.compile(r"[A-Za-z][\w+.-]+:/")
_VARIABLE: Final = re.compile(r"\$\{?(\w+)\}?(?:/|$)")  # as shells write it
_OURS: Final = ("mlflow.db", ".mlflow.db", "mlartifacts")  # files beside the experiments


def read_experiment_id(value: Value) -> str:
    """Return the name of an experiment.

    Raises:
        ConfigError: It cannot be the name of a folder in ``results_dir``.
    """
    if value is None:
        raise ConfigError(
            "the config has no experiment_id. Set it to a name for the experiment, or add --app FILE if"
            " the runs are those of a Hydra app."
        )
    name = str(value)
    if (
        not isinstance(value, str | int | float)
        or not _is_name(name)
        or "/" in name
        or name.strip() in ("", ".", "..", "~")
    ):
        raise ConfigError(
            f"experiment_id {name[:_SHOWN]!r} cannot be the name of a folder."
            " Use letters, digits, '-' and '_'."
        )
    if name.startswith(_OURS):
        raise ConfigError(
            f"experiment_id {name[:_SHOWN]!r} is the name of an MLflow file in results_dir."
            " Choose another name."
        )
    return name


def read_results_dir(value: Value) -> Path:
    """Return the folder for results, with the home folder in place of ``~``.

    Raises:
        ConfigError: It cannot be a folder.
    """
    if not isinstance(value, str | int | float) or not str(value) or not str(value).isprintable():
        raise ConfigError("the config has no results_dir. Set it to the folder for all results.")
    if _ADDRESS.match(str(value)):
        raise ConfigError(
            f"results_dir {str(value)[:_SHOWN]!r} is an address, not a folder. Write the path of a"
            " folder that this machine has."
        )
    # As a string: a path would drop the './' before a folder whose name starts with '~'.
    path = Path(os.path.expanduser(str(value)))  # noqa: PTH111 # see above
    first = next(iter(path.parts), "")
    if first.startswith("~") and first != "~":
        raise ConfigError(
            f"results_dir {str(value)[:_SHOWN]!r}: there is no such user. Correct the path."
        )
    if "~" in path.parts:
        raise ConfigError(
            f"results_dir {str(path)[:_SHOWN]!r} would create a folder named '~'. Start it with ~/"
            " for the home folder, or write the full path."
        )
    if found := _VARIABLE.match(str(path)):
        raise ConfigError(
            f"results_dir {str(path)[:_SHOWN]!r} would create a folder named '${found[1]}'. In a config,"
            f" a variable of the environment is ${{oc.env:{found[1]}}}."
        )
    if not all(map(_is_name, path.parts)):
        raise ConfigError(f"results_dir {str(path)[:_SHOWN]!r} is too long a name. Shorten it.")
    return path


def _is_name(part: str) -> bool:
    return part.isprintable() and len(part.encode()) <= _LONGEST
