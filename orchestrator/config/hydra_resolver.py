"""The resolver ``hydra`` for ``${hydra:...}`` in configs that no Hydra program runs.

The folder, the choices and the names have the values that Hydra gives them. What differs from run to
run, such as a run's directory, is a stand-in while the config is hashed, and gets its value when the
directory is made.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hydra import __version__
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from omegaconf import DictConfig

_NAME: Final = "hydra"
_GIVEN: Final = "_hydra_values_of_orch_"
_DEFAULT_JOB: Final = "app"  # Hydra's name for an unknown program
# What differs from run to run. Those that begin with a slash are folders, so that they can be used
# like one. They are in run IDs.
STAND_INS: Final[Mapping[str, object]] = {
    "runtime.output_dir": "/<hydra:runtime.output_dir>",
    "run.dir": "/<hydra:run.dir>",
    "sweep.dir": "/<hydra:sweep.dir>",
    "sweep.subdir": "<hydra:sweep.subdir>",
    "job.override_dirname": "<hydra:job.override_dirname>",
    "job.num": "<hydra:job.num>",
    "job.id": "<hydra:job.id>",
    "overrides.task": ["<hydra:overrides.task>"],
}
_CHOICES: Final = "runtime.choices"
_STAND_IN: Final = re.compile(r"<hydra:[a-z_.]+>")
_OUTPUT: Final = "hydra.run.dir="
_SWEEP: Final = "hydra.sweep.dir="


class HydraValueError(Exception):
    """A value of Hydra's that ``orch`` does not have."""


class OwnValues(NamedTuple):
    """What a run has for itself: its output folder, that of all runs, its ID, its point's number."""

    output_dir: str
    sweep_dir: str
    run_id: str
    number: int


class Given(NamedTuple):
    """What Hydra knows of a composed config.

    These are the choices, the config name, the job name (empty: none), the overrides of the user's
    keys, and a function that returns the node ``hydra``. ``own`` is None while the run is unknown.
    """

    choices: Mapping[str, object]
    config_name: str
    job: str
    overrides: Sequence[str] = ()
    settings: Callable[[], DictConfig] | None = None
    own: OwnValues | None = None


def register() -> None:
    """Register the resolver, in place of Hydra's own, which Hydra registers when initialized."""
    OmegaConf.register_new_resolver(_NAME, _resolve, replace=True)


def provide(cfg: DictConfig, given: Given) -> None:
    """Attach to a config the values for ``${hydra:...}`` in it."""
    cfg.__dict__[_GIVEN] = given


def provide_own(cfg: DictConfig, training: PurePath, run_id: str, number: int) -> None:
    """Replace the stand-ins in a config, to which values are attached, by those of its run.

    Args:
        cfg: The config.
        training: The folder of all run directories.
        run_id: The name of the run directory.
        number: The number of its point in the grid.
    """
    folder = Path(training).resolve()
    config, run_dir = OmegaConf.to_container(cfg), str(folder / run_id)
    output_dir = _given_folder(config, _OUTPUT, run_dir, run_id) or run_dir
    sweep_dir = _given_folder(config, _SWEEP, run_dir, run_id) or str(folder)
    own = OwnValues(output_dir, sweep_dir, run_id, number)
    provide(cfg, cfg.__dict__[_GIVEN]._replace(own=own))


def holds_stand_in(text: str) -> bool:
    """Return whether a text contains a stand-in for what each run has for itself."""
    return _STAND_IN.search(text) is not None


def _given_folder(config: object, setting: str, run_dir: str, run_id: str) -> str:
    """Return the folder that the program of a run gets with a setting of Hydra's; empty if none."""
    match config:
        case {"orch": {"command": list(words)}} | {"orch": {"arguments": list(words)}}:
            for word in words:
                if str(word).startswith(setting):
                    folder = str(word).removeprefix(setting)
                    folder = folder.replace("{run_dir}", run_dir).replace("{run_id}", run_id)
                    return "" if "{" in folder else str(Path(folder).absolute())
    return ""


def _resolve(*keys: str, _root_: Any) -> object:  # noqa: ANN401 # a container of any kind
    key = ",".join(map(str, keys))  # one, if it is right
    given: Given | None = _root_.__dict__.get(_GIVEN)
    if own := [each for each in STAND_INS if each.startswith(f"{key.lstrip('.')}.")]:
        raise HydraValueError(
            f"orch has no ${{hydra:{key}}} as a whole, since {own[0]} in it differs from run to run;"
            " name the key in it that you need"
        )
    found = None if given is None or not key else _find(key, given, _root_)
    if found is None:
        raise HydraValueError(
            f"orch has no ${{hydra:{key}}}; write the value, or a key of your own"
        )
    return found


def _find(key: str, given: Given, root: DictConfig) -> object:
    if key in STAND_INS:
        stand_in = STAND_INS[key]
        found = stand_in if given.own is None else _own_value(key, given, given.own)
        return OmegaConf.create(found) if isinstance(found, list) else found
    # All choices together include those of Hydra's own groups.
    found = None if key == _CHOICES else OmegaConf.select(_values(root, given), key)
    if found is None and given.settings is not None:
        found = OmegaConf.select(given.settings(), key)
    return found


def _own_value(key: str, given: Given, own: OwnValues) -> object:
    match key:
        case "runtime.output_dir" | "run.dir":
            return own.output_dir
        case "sweep.dir":
            return own.sweep_dir
        case "sweep.subdir" | "job.id":
            return own.run_id
        case "job.num":
            return own.number
        case "overrides.task":
            return list(given.overrides)
        case _:
            return _override_dirname(given)


def _override_dirname(given: Given) -> str:
    """Return the overrides as one name, as Hydra writes it."""
    form = given.settings().job.config.override_dirname if given.settings else None
    excluded = list(form.exclude_keys) if form else []
    lines = [
        text for text in given.overrides if text.partition("=")[0].lstrip("+~") not in excluded
    ]
    name = (form.item_sep if form else ",").join(sorted(lines))
    return name.replace("=", form.kv_sep if form else "=")


def _values(root: DictConfig, given: Given) -> DictConfig:
    name = given.job or _name_of_program(OmegaConf.to_container(root))
    choices = {key: value for key, value in given.choices.items() if value is not None}
    return OmegaConf.create(
        {
            "runtime": {"cwd": str(Path.cwd()), "choices": choices, "version": __version__},
            "job": {"name": name, "config_name": given.config_name},
            "mode": "RUN",
        }
    )


def _name_of_program(config: object) -> str:
    """Return Hydra's name for the job: the name of the program's file without its extension."""
    match config:
        case {"orch": {"entry_point": str(function)}}:
            return function.partition(":")[0].rpartition(".")[2]
        case {"orch": {"command": list(words)}}:
            for before, word in zip(("", *words), words, strict=False):
                if before == "-m":
                    return str(word).rpartition(".")[2]
                if str(word).endswith(".py"):
                    return PurePath(str(word)).stem
    return _DEFAULT_JOB
