"""Loads the config of an experiment from a config folder and overrides."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from hydra.errors import HydraException
from omegaconf import Container, DictConfig, OmegaConf

from orchestrator.config.axis_combination import read_forms
from orchestrator.config.declared_grids import declare_grids
from orchestrator.config.experiment_folder import read_experiment_id, read_results_dir
from orchestrator.config.given_to_hydra_app import AppDefaults, find_config
from orchestrator.config.grid_composer import Composer, apply
from orchestrator.config.hydra_composition import Composed, ConfigFolder
from orchestrator.config.hydra_errors import refusals_of_hydra
from orchestrator.config.hydra_resolver import holds_stand_in
from orchestrator.config.missing_registrations import lacks_registrations, may_lack_registrations
from orchestrator.config.orch_settings import Settings, parse_settings
from orchestrator.config.overrides import choose, make_axis, with_open_settings
from orchestrator.config.project_setup import (
    ENV_FILE,
    SETUP,
    load_environment,
    load_modules,
    parse_setup,
    read_setup,
)
from orchestrator.config.secret_detection import check_command
from orchestrator.config.unstable_values import refuse_unstable_places, refusing_unstable_grid
from orchestrator.errors import ConfigError
from orchestrator.grid.axes import Axis, Point, expand
from orchestrator.grid.config_diff import leaves
from orchestrator.grid.config_values import Value, dotted_keys
from orchestrator.grid.filters_per_point import read_filters
from orchestrator.runner.project_import_path import find_modules_of_the_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hydra.core.override_parser.types import Override

    from orchestrator.config.axis_combination import GridForms
    from orchestrator.config.hydra_app import HydraApp
    from orchestrator.config.project_setup import ProjectSetup
    from orchestrator.grid.points import Points
    from orchestrator.grid.search_space import SearchSpace

_PER_RUN: Final = ("orch.command", "orch.arguments")


@dataclass(frozen=True, slots=True)
class ExperimentConfig:
    """The config of an experiment: its name and folder, points, filters and settings.

    ``filters`` are the ``_filters`` of the first point; each point has its own. ``composer``
    composes the config of every point, from ``folder``. ``search`` is what a search chooses from. ``given`` are the overrides of the command
    line, and ``notes`` are remarks for the user.
    """

    experiment_id: str
    results_dir: Path
    span: Points
    filters: tuple[str, ...]
    settings: Settings
    composer: Composer
    folder: ConfigFolder
    given: tuple[Override, ...] = ()
    notes: tuple[str, ...] = ()
    search: SearchSpace | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of all grids, each key once; of a search, with an example."""
        if self.search:
            return tuple(Axis(each.key, (each.example,)) for each in self.search.dimensions)
        return self.span.axes

    def first_point(self) -> Point:
        """Return the first point of the grids.

        Raises:
            OrchestratorError: It cannot be composed, which decides whether it is one.
        """
        if self.search:
            return Point({axis.key: axis.values[0] for axis in self.axes})
        if not self.span.are_conditional:
            return self.span[0]
        from orchestrator.config.grid_templates import first_point  # noqa: PLC0415 # few grids

        return first_point(self.composer)

    def each_grid(self) -> Iterator[ExperimentConfig]:
        """Yield the config of each grid alone."""
        if len(self.span.grids) == 1:
            yield self
            return
        for number in range(len(self.span.grids)):
            grids = self.composer.grids.alone(number)
            yield replace(self, span=grids.span, composer=self.composer.with_grids(grids))


def load_experiment(
    config_dir: Path | None, config_name: str | None, overrides: Sequence[str], app: str = ""
) -> ExperimentConfig:
    """Read the config folder and return the axes, the filters and the settings.

    Overrides take precedence over ``hydra.sweeper.params``, key by key.

    Args:
        config_dir: The config folder; None: that of the app.
        config_name: The primary config; None: that of the app.
        overrides: The overrides, in Hydra's grammar.
        app: The file or module of a Hydra app; empty: its config may name one, as ``orch.app``.

    Raises:
        ConfigError: The folder, a config, an override or a setting is wrong.
        GridError: An axis cannot be expanded.
    """
    version_base = None
    if app:
        config_dir, config_name, version_base = find_config(app, config_dir, config_name)
    name = config_name or "config"
    source = _Source(config_dir, name, overrides, AppDefaults(app, config_dir, name), version_base)
    try:
        experiment, found, is_lacking = _load(source)
    except ConfigError as error:
        found, is_lacking = source.app(), True
        if found is None or not may_lack_registrations(error, found.file.parent):
            raise
    if found is not None and (is_lacking or found.version_base != version_base):
        # Only its own config says which app it is, and that says by which rules it is composed.
        notes = load_modules([str(found.file)], "orch.app") if is_lacking else ()
        experiment, _, _ = _load(replace(source, version_base=found.version_base))
        experiment = replace(experiment, notes=(*notes, *experiment.notes))
    return experiment


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the config of an experiment comes from, and the rules by which it is composed."""

    config_dir: Path | None
    config_name: str
    overrides: Sequence[str]
    defaults: AppDefaults
    version_base: str | None

    def open(self) -> tuple[ConfigFolder, list[Override], tuple[str, ...]]:
        """Return the folder, the overrides, and notes, after the setup that the config names.

        Raises:
            OrchestratorError: The folder or the setup is wrong.
        """
        notes: tuple[str, ...] = ()
        with refusals_of_hydra():
            folder = self._folder()
            given = folder.parse(self.overrides)
            setup = read_setup(folder.read_primary(), given)
            if setup.env_file:
                load_environment(setup.env_file)
            if setup.modules:
                notes = load_modules(setup.modules)
                folder = self._folder()  # which has the configs that they registered
            folder.extend_search_path(given)
            if any(place.startswith("pkg:") for place in folder.not_found):
                find_modules_of_the_project()  # packages of configs may be among them
                folder.extend_search_path(given)
        notes += tuple(f"hydra.searchpath: {place} is not there" for place in folder.not_found)
        return folder, given, notes

    def _folder(self) -> ConfigFolder:
        return ConfigFolder(self.config_dir, self.config_name, self.version_base)

    def app(self) -> HydraApp | None:
        """Return the app, if that is known without composing."""
        folder, given, _ = self.open()
        typed = {item.key_or_group: item.value() for item in given}
        with refusals_of_hydra():
            primary = folder.read_primary()
            named = {
                name: typed.get(key, OmegaConf.select(primary, key))
                for name in ("app", "entry_point")
                for key in (f"orch.{name}",)
            }
        return self.defaults.app_of(OmegaConf.create({"orch": named}))


def _load(source: _Source) -> tuple[ExperimentConfig, HydraApp | None, bool]:
    """Read the config folder; return its app, and whether it lacks what the app may register."""
    folder, given, notes = source.open()

    def known_keys() -> Iterator[str]:
        with contextlib.suppress(Exception):  # a second error would hide the first
            yield from dotted_keys(OmegaConf.to_container(folder.compose([], open_ended=True).cfg))

    with refusals_of_hydra(known_keys):
        master = _compose_master(folder, given)
        params = _read_grid(folder, given, master) if master.refers else master.params
        declared = folder.parse([f"{key}={value}" for key, value in params.items()])
        with refusing_unstable_grid():
            forms = _read_forms(folder, given, master)
        grids = declare_grids(folder, declared, given, forms)
        composer = Composer(folder, grids, master, source.defaults)
        # The settings of the experiment are those of the first point.
        cfg = composer.compose_for_settings()
        check_command(cfg)
        _refuse_own_values(cfg)
        refuse_unstable_places(cfg)
    experiment = ExperimentConfig(
        experiment_id=read_experiment_id(_select(cfg, "experiment_id")),
        results_dir=read_results_dir(_select(cfg, "results_dir")),
        span=grids.span,
        search=grids.search,
        filters=read_filters(_select(cfg, "_filters")),
        settings=parse_settings(_select(cfg, "orch")),
        composer=composer,
        folder=folder,
        given=tuple(map(with_open_settings, given)),
        notes=notes,
    )
    _check_setup(cfg, read_setup(folder.read_primary(), given))
    return experiment, source.defaults.app_of(cfg), lacks_registrations(cfg)


def _check_setup(cfg: DictConfig, prepared: ProjectSetup) -> None:
    """Make sure that the setup of a composed config is the one that was prepared before.

    Raises:
        ConfigError: Another config than the primary one sets it.
    """
    found = parse_setup(_select(cfg, SETUP), _select(cfg, ENV_FILE))
    if found != prepared:
        raise ConfigError(
            f"{SETUP} and {ENV_FILE} are read before the config is composed. Set them in the primary"
            " config, or on the command line, without interpolations."
        )


def _refuse_own_values(cfg: DictConfig) -> None:
    """Reject a setting of the experiment that contains what each run has for itself.

    Raises:
        ConfigError: There is one.
    """
    settings = {key: _select(cfg, key) for key in ("results_dir", "experiment_id", "orch")}
    for key, value in leaves({"settings": settings}).items():
        name = key.removeprefix("settings.")
        if holds_stand_in(str(value)) and name not in _PER_RUN:
            raise ConfigError(
                f"{name} contains a value of Hydra's that each run has for itself, but it must be equal"
                " for all runs. Write a constant."
            )


def _compose_master(folder: ConfigFolder, given: Sequence[Override]) -> Composed:
    """Compose the config that defines the grid, without swept and missing choices."""
    choices = [item for item in given if folder.is_choice(item)]
    swept = [item for item in choices if item.is_sweep_override() and not item.is_hydra_override()]
    fixed = [item for item in choices if item not in swept]
    try:
        return folder.compose(fixed, open_ended=True)
    except HydraException:
        if not swept:
            raise
    # The default choice of a swept group may be incompatible with the rest.
    axes = [make_axis(item, folder) for item in swept]
    point = next(expand(axes))
    return folder.compose([choose(item, point) for item in choices], open_ended=True)


def _read_grid(
    folder: ConfigFolder, given: Sequence[Override], master: Composed
) -> Mapping[str, str]:
    """Read a grid that contains interpolations, with the values given on the command line."""
    try:
        return folder.read_grid([item for item in given if not item.is_sweep_override()])
    except HydraException:  # a value may be incompatible with the default of a swept group
        return master.params


def _read_forms(folder: ConfigFolder, given: Sequence[Override], master: Composed) -> GridForms:
    """Read how the axes of the grid combine, with the values given on the command line."""
    values = [with_open_settings(it) for it in given if not it.is_sweep_override()]
    values = [item for item in values if not folder.is_choice(item)]
    return read_forms(master.cfg, values, apply)


def _select(cfg: DictConfig, key: str) -> Value:
    with refusals_of_hydra():
        node = OmegaConf.select(cfg, key)
        is_node = isinstance(node, Container)
        return cast("Value", OmegaConf.to_container(node, resolve=True) if is_node else node)
