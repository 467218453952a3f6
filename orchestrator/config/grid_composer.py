"""The composer of a grid: the configs of its points, equal to what Hydra composes for each.

Composing is slow, so it happens once per combination of config-group choices; the values of
the other axes are then set with Hydra's own function, in the order of the overrides. If all
dependencies are known, even that is not necessary for every point: see ``composed_template``.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from orchestrator.config.given_values import find_given, spell
from orchestrator.config.hydra_errors import refusals_of_hydra
from orchestrator.config.hydra_resolver import Given, provide, provide_own
from orchestrator.config.identity_notes import IdentityNotes
from orchestrator.config.overrides import is_for_program
from orchestrator.config.plain_values import drop_unresolvable, to_plain
from orchestrator.config.resolved_size import check_reach, check_resolved_size
from orchestrator.config.secret_detection import find_hidden, find_origins
from orchestrator.config.secret_references import conceal, identity_of
from orchestrator.grid.axes import Point, place_point
from orchestrator.grid.config_template import put
from orchestrator.grid.config_values import Value, dotted_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import PurePath

    from orchestrator.config.declared_grids import DeclaredGrids
    from orchestrator.config.given_to_hydra_app import AppDefaults
    from orchestrator.config.hydra_composition import Composed, ConfigFolder
    from orchestrator.grid.identity import Concealed, RunId
    from orchestrator.grid.points import Points


class Composer:
    """Composes the config of a point, equal to what Hydra composes for it."""

    def __init__(
        self,
        folder: ConfigFolder,
        grids: DeclaredGrids,
        master: Composed,
        app: AppDefaults,
    ) -> None:
        self._folder = folder
        self._app = app
        self.grids = grids
        self._master = master
        self.own_keys = frozenset(map(str, master.cfg.keys()))
        # By their choices; pickled, since unpickling takes a tenth of the time of a deep copy.
        self._composed: dict[tuple[str, ...], tuple[bytes, Composed]] = {}
        self._hydra: dict[tuple[str, ...], DictConfig] = {}
        self.ignored = master.ignored
        self.notes = IdentityNotes(str(Path.cwd()))

    @property
    def overrides(self) -> Sequence[Override]:
        """The overrides of the first grid."""
        return self.grids.overrides[0]

    @property
    def span(self) -> Points:
        """The points of the grids."""
        return self.grids.span

    def with_grids(self, grids: DeclaredGrids) -> Composer:
        """Return a composer of other points of the same config, which shares what was composed."""
        other = copy.copy(self)
        other.grids = grids
        return other

    def with_overrides(self, overrides: Sequence[Override]) -> Composer:
        """Return a composer of the same config folder with other overrides of the first grid."""
        # The master was composed with the choices among these overrides, so it is none of theirs.
        master = replace(self._master, choices={"": "???"})
        grids = replace(self.grids, overrides=(tuple(overrides), *self.grids.overrides[1:]))
        return Composer(self._folder, grids, master, self._app)

    @property
    def misplaced(self) -> tuple[str, ...]:
        """The headers without effect in the config files."""
        return self._folder.misplaced

    def is_group(self, key: str) -> bool:
        """Return whether a key names a config group."""
        return self._folder.is_group(key)

    def complete(self, cfg: DictConfig) -> None:
        """Add to a config what its app has besides it.

        Raises:
            ConfigError: It names an app that does not exist.
        """
        self._app.complete(cfg)

    def refusals(self) -> AbstractContextManager[None]:
        """Convert Hydra's exceptions in a block, with the keys of the configs."""
        return refusals_of_hydra(self._known_keys)

    def resolve(self, point: Point) -> dict[str, Value]:
        """Return the resolved config of a point as builtin types, without Hydra's own node.

        Raises:
            ConfigError: Hydra cannot compose it, or a value is missing or cannot be resolved.
        """
        with self.refusals():
            return _plain(self.compose(point))

    def resolve_for_conditions(self, point: Point) -> dict[str, Value]:
        """Return the resolved config of a point without what is missing or cannot be resolved.

        Raises:
            ConfigError: Hydra cannot compose it.
        """
        with self.refusals():
            cfg = self._compose_judged(point)
            drop_unresolvable(cfg)
            return _plain(cfg)

    def resolve_for_identity(self, point: Point) -> dict[str, Value]:
        """Return the config that determines a point's run ID: references in place of credentials.

        Raises:
            ConfigError: As ``resolve``.
        """
        with self.refusals():
            cfg = self.compose(point)
            return put(_plain(cfg), identity_of(find_hidden(cfg)))

    def conceal(self, point: Point, training: PurePath | None = None) -> Concealed:
        """Return the config of a point with its written form, without its secrets.

        What each run has for itself is replaced by stand-ins, until its ID is known.

        Args:
            point: The point.
            training: The folder of all run directories; None: the stand-ins remain.

        Raises:
            ConfigError: As ``resolve``, or a secret cannot be passed on.
        """
        with self.refusals():
            cfg, choices = self._compose_chosen(point)
            made, has_own = _conceal(cfg)
            made = self._describe(point, made, choices)
        if not has_own or training is None:
            return made
        return replace(made, give_own=partial(self._conceal_with_own, point, training))

    def _conceal_with_own(
        self, point: Point, training: PurePath, run_id: RunId, number: int
    ) -> Concealed:
        with self.refusals():
            cfg, choices = self._compose_chosen(point)
            provide_own(cfg, training, run_id, number)
            return self._describe(point, _conceal(cfg)[0], choices)

    def _describe(self, point: Point, made: Concealed, choices: Mapping[str, Value]) -> Concealed:
        """Add the overrides from which Hydra composes a point, and what they give and choose."""
        chosen = self.grids.choose(point)
        spelled = spell(chosen, made.written, self.own_keys)
        given = find_given(chosen, point, made.written, choices, self._folder)
        return replace(made, hydra_overrides=spelled, given=given, choices=choices)

    def compose_for_settings(self) -> DictConfig:
        """Return the config of the first point, without the axes that may be unset.

        Raises:
            ConfigError: Resolving it would take too long.
            HydraException: Hydra rejects it.
        """
        if not self.span.are_conditional:
            return self.compose(self.span[0])
        places = [axis.unset if axis.when else 0 for axis in self.span.grids[0]]
        return self._compose_judged(place_point(self.span.grids[0], places))

    def _compose_judged(self, point: Point) -> DictConfig:
        cfg, late, _ = self.start(point, is_judged=True)
        for item in late:
            apply(item, cfg)
        check_resolved_size(cfg)
        self.complete(cfg)
        return cfg

    def compose(self, point: Point) -> DictConfig:
        """Return the config of a point before interpolations are resolved.

        Raises:
            ConfigError: Resolving it would take too long.
            HydraException: Hydra rejects it.
        """
        return self._compose_chosen(point)[0]

    def _compose_chosen(self, point: Point) -> tuple[DictConfig, Mapping[str, Value]]:
        cfg, late, made = self.start(point)
        for item in late:
            apply(item, cfg)
        check_resolved_size(cfg)
        self._app.complete(cfg)
        return cfg, made.own_choices

    def start(
        self, point: Point, *, is_judged: bool = False
    ) -> tuple[DictConfig, list[Override], Composed]:
        """Return a copy of the config composed with a point's choices, the other overrides, the original.

        ``is_judged``: groups may be without a choice.

        Raises:
            HydraException: Hydra rejects it.
        """
        chosen = self.grids.choose(point)
        early = [item for item in chosen if self._folder.is_choice(item)]
        late = [item for item in chosen if not self._folder.is_choice(item)]
        try:
            pickled, made = self._compose(early)
        except HydraException:
            if not is_judged:
                raise
            made = self._folder.compose(early, open_ended=True)  # some group has no choice yet
            pickled = pickle.dumps(made.cfg, pickle.HIGHEST_PROTOCOL)
        cfg = _copy(pickled)
        typed = [
            str(item.input_line)
            for item in chosen
            if not item.is_hydra_override() and is_for_program(item, self.own_keys)
        ]
        settings = partial(self._settings_of_hydra, early)
        name = self._folder.config_name
        provide(cfg, Given(made.choices, name, made.job_name, typed, settings))
        return cfg, late, made

    def _compose(self, choices: list[Override]) -> tuple[bytes, Composed]:
        key = tuple(str(choice.input_line) for choice in choices)
        if key not in self._composed:
            made = self._master if self._is_master(choices) else self._folder.compose(choices)
            pickled = pickle.dumps(made.cfg, pickle.HIGHEST_PROTOCOL)
            self._composed[key] = pickled, made
            self.ignored = tuple(dict.fromkeys((*self.ignored, *made.ignored)))
        return self._composed[key]

    def _settings_of_hydra(self, choices: list[Override]) -> DictConfig:
        key = tuple(str(choice.input_line) for choice in choices)
        if key not in self._hydra:
            self._hydra[key] = self._folder.read_settings_of_hydra(choices)
        return self._hydra[key]

    def _is_master(self, choices: list[Override]) -> bool:
        """Return whether the master config was composed with these choices."""
        known = self._master.choices
        return "???" not in known.values() and all(
            choice.type is OverrideType.CHANGE
            and isinstance(choice.value(), str)
            and not choice.is_hydra_override()
            and known.get(choice.get_key_element()) == choice.value()
            for choice in choices
        )

    def _known_keys(self) -> Iterator[str]:
        composed = (_copy(pickled) for pickled, _ in self._composed.values())
        for cfg in (self._master.cfg, *composed):
            yield from dotted_keys(OmegaConf.to_container(cfg))


def apply(override: Override, cfg: DictConfig) -> None:
    """Set the value of an override in a config, as Hydra does.

    Raises:
        ConfigError: It leads too far.
        HydraException: Hydra rejects it.
    """
    check_reach(cfg, override.key_or_group)
    ConfigLoaderImpl._apply_overrides_to_config([override], cfg)


def _copy(pickled: bytes) -> DictConfig:
    return cast("DictConfig", pickle.loads(pickled))  # noqa: S301 # pickled by this process


def _conceal(cfg: DictConfig) -> tuple[Concealed, bool]:
    """Return a config without its secrets, and whether its run has values for itself in it."""
    config, origins = _plain(cfg), find_origins(cfg)
    return conceal(config, origins.hidden, origins.own), bool(origins.own)


def _plain(cfg: DictConfig) -> dict[str, Value]:
    return cast("dict[str, Value]", to_plain(cfg))
