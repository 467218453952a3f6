"""The resolver ``hydra`` for ``${hydra:...}`` in configs that no Hydra program runs.

The folder, the choices and the names have the values that Hydra gives them. What belongs to one
Hydra job, such as its output folder, is an error that says what to write instead.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 # a named tuple keeps it as a type
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hydra import __version__
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from omegaconf import DictConfig

_NAME: Final = "hydra"
_GIVEN: Final = "_hydra_values_of_orch_"
_DEFAULT_JOB: Final = "app"  # Hydra's name for an unknown program
_ADVICE: Final[Mapping[str, str]] = {
    "runtime.output_dir": "a run's directory is ${oc.env:ORCH_RUN_DIR,.}",
    "run.dir": "a run's directory is ${oc.env:ORCH_RUN_DIR,.}",
    "sweep.dir": "all results are under ${results_dir}",
    "job.id": "a run's ID is ${oc.env:ORCH_RUN_ID,0}",
    "job.num": "a run's ID is ${oc.env:ORCH_RUN_ID,0}",
    "job.override_dirname": "name what varies: ${lr}",
}


class HydraValueError(Exception):
    """A value of Hydra's that ``orch`` does not have."""


class Given(NamedTuple):
    """The choices, the config name and the job name (empty: none) of a composed config."""

    choices: Mapping[str, object]
    config_name: str
    job: str


def register() -> None:
    """Register the resolver, in place of Hydra's own, which Hydra registers when initialized."""
    OmegaConf.register_new_resolver(_NAME, _resolve, replace=True)


def provide(cfg: DictConfig, given: Given) -> None:
    """Attach to a config the values for ``${hydra:...}`` in it."""
    cfg.__dict__[_GIVEN] = given


def _resolve(key: str, _root_: Any) -> object:  # noqa: ANN401 # a container of any kind
    given = _root_.__dict__.get(_GIVEN)
    found = None if given is None else OmegaConf.select(_values(_root_, given), key)
    if found is None:
        advice = _ADVICE.get(key, "write the value, or a key of your own")
        raise HydraValueError(f"orch has no ${{hydra:{key}}}; {advice}")
    return found


def _values(root: DictConfig, given: Given) -> DictConfig:
    name = given.job or _name_of_program(OmegaConf.to_container(root))
    choices = {key: value for key, value in given.choices.items() if value is not None}
    return OmegaConf.create(
        {
            "runtime": {"cwd": str(Path.cwd()), "choices": choices, "version": __version__},
            "job": {"name": name, "config_name": given.config_name},
            "mode": "MULTIRUN",
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
