"""The composed config as Hydra's ``--cfg`` shows it: in YAML, with its interpolations or resolved."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from omegaconf import Container, DictConfig, OmegaConf, open_dict

from orchestrator.config.credential_check import is_secret
from orchestrator.config.hydra_errors import refusals_of_hydra
from orchestrator.config.hydra_resolver import provide_own
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.grid.axes import Point
from orchestrator.grid.identity import identify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import PurePath

    from orchestrator.config.load import ExperimentConfig
    from orchestrator.grid.config_template import Path

_GLOBAL: Final = "_global_"
_HIDDEN: Final = "***"
_ADDED: Final = ("results_dir", "experiment_id", "orch")


def show_config(
    described: ExperimentConfig,
    training: PurePath,
    kind: str,
    package: str | None,
    *,
    is_resolved: bool,
) -> str:
    """Return the config that the given overrides compose, without the grid in the config, as YAML.

    Credentials are replaced.

    Args:
        described: The experiment.
        training: The folder of its run directories.
        kind: ``job``, ``hydra`` for Hydra's own settings, or ``all``.
        package: Only what is under this key; None: everything.
        is_resolved: Whether interpolations are resolved, of ``job`` only.

    Raises:
        UsageError: An override has several values, or there is no such key.
        ConfigError: The config is wrong.
    """
    for override in described.given:
        if override.is_sweep_override():
            raise UsageError(
                f"--cfg prints one config, but {override.get_key_element()} has several values."
                " Give it one value."
            )
    with refusals_of_hydra():
        composer = described.composer.with_overrides(described.given)
        cfg = composer.compose(Point({}))
        with suppress(OrchestratorError):  # a value is missing: the run has no ID yet
            hashed = composer.resolve_for_identity(Point({}))
            run = identify(hashed, {}, described.settings.identity_exclude)
            provide_own(cfg, training, run.run_id, 0)
        if is_resolved:
            OmegaConf.resolve(cfg)
        _remove_additions(cfg, composer.own_keys)
        if kind != "job":
            cfg = _with_settings_of_hydra(cfg, described, is_alone=kind == "hydra")
        _hide_credentials(cfg)
        return _write(cfg, package)


def _remove_additions(cfg: DictConfig, own_keys: AbstractSet[str]) -> None:
    """Remove what a Hydra app does not have in its config, and gets from ``orch``."""
    with open_dict(cfg):
        for key in _ADDED:
            if key not in own_keys:
                cfg.pop(key, None)


def _with_settings_of_hydra(
    cfg: DictConfig, described: ExperimentConfig, *, is_alone: bool
) -> DictConfig:
    chosen = [item for item in described.given if described.folder.is_choice(item)]
    settings = OmegaConf.to_container(described.folder.read_settings_of_hydra(chosen))
    own = {} if is_alone else cast("dict[str, Any]", OmegaConf.to_container(cfg))
    return OmegaConf.create({"hydra": settings, **own})


def _write(cfg: DictConfig, package: str | None) -> str:
    if package in (None, _GLOBAL):
        return OmegaConf.to_yaml(cfg)
    found = OmegaConf.select(cfg, str(package))
    if found is None:
        raise UsageError(f"--package: the config has no key {package!r}. Name another one.")
    if not isinstance(found, Container):
        return f"{found}\n"
    return f"# @package {package}\n{OmegaConf.to_yaml(found)}"


def _hide_credentials(cfg: DictConfig) -> None:
    """Replace the credentials in a config, except for interpolations, which only name them."""
    OmegaConf.set_readonly(cfg, value=False)
    with open_dict(cfg):
        for path, value in _leaves(OmegaConf.to_container(cfg), ()):
            is_text = isinstance(value, str) and "${" not in value
            if is_text and path[0] != "hydra" and is_secret(path, value):
                node: Any = cfg
                for step in path[:-1]:
                    node = node[step]
                node[path[-1]] = _HIDDEN


def _leaves(node: object, path: Path) -> Iterator[tuple[Path, object]]:
    match node:
        case dict():
            for key, value in node.items():
                yield from _leaves(value, (*path, key))
        case list():
            for at, value in enumerate(node):
                yield from _leaves(value, (*path, at))
        case _:
            yield path, node
