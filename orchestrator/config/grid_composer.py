"""The composer of a grid: the configs of its points, equal to what Hydra composes for each.

Composing is slow, so it happens once per combination of config-group choices; the values of
the other axes are then set with Hydra's own function, in the order of the overrides. If all
dependencies are known, even that is not necessary for every point: see ``templates``.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from orchestrator.config.axis_dependencies import find_parts, is_certain, longest_values
from orchestrator.config.hydra_errors import refusals_of_hydra
from orchestrator.config.hydra_resolver import Given, provide, provide_own
from orchestrator.config.identity_notes import IdentityNotes
from orchestrator.config.overrides import choose, is_for_program, without_secret_value
from orchestrator.config.plain_values import to_plain
from orchestrator.config.resolved_size import check_reach, check_resolved_size
from orchestrator.config.secret_detection import check_command, find_hidden, find_origins
from orchestrator.config.secret_references import conceal, identity_of
from orchestrator.grid.axes import Axis, Point, check_combinations
from orchestrator.grid.config_template import ConfigTemplate, combinations, put
from orchestrator.grid.config_values import Value, dotted_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import PurePath

    from orchestrator.config.app_defaults import AppDefaults
    from orchestrator.config.hydra_composition import Composed, ConfigFolder
    from orchestrator.grid import config_template
    from orchestrator.grid.identity import Concealed, RunId

_SIMPLE_KEY: Final = re.compile(r"[\w-]+(\.[\w-]+)*")


class Composer:
    """Composes the config of a point, equal to what Hydra composes for it."""

    def __init__(
        self,
        folder: ConfigFolder,
        overrides: Sequence[Override],
        master: Composed,
        app: AppDefaults,
    ) -> None:
        self._folder = folder
        self._app = app
        self.overrides = overrides
        self._master = master
        self.own_keys = frozenset(map(str, master.cfg.keys()))
        # By their choices; pickled, since unpickling takes a tenth of the time of a deep copy.
        self._composed: dict[tuple[str, ...], tuple[bytes, Composed]] = {}
        self._hydra: dict[tuple[str, ...], DictConfig] = {}
        self.ignored = master.ignored
        self.notes = IdentityNotes(str(Path.cwd()))

    def with_overrides(self, overrides: Sequence[Override]) -> Composer:
        """Return a composer of the same config folder with other overrides."""
        # The master was composed with the choices among these overrides, so it is none of theirs.
        master = replace(self._master, choices={"": "???"})
        return Composer(self._folder, overrides, master, self._app)

    @property
    def misplaced(self) -> tuple[str, ...]:
        """The headers without effect in the config files."""
        return self._folder.misplaced

    def templates(self, axes: Sequence[Axis]) -> Iterator[ConfigTemplate]:
        """Yield the grid's config templates in the order of their first points.

        Raises:
            ConfigError: The first point of a template cannot be composed or resolved.
            GridError: There are too many templates.
        """
        sizes = [len(axis.values) for axis in axes]
        swept = [item for item in self.overrides if item.is_sweep_override()]
        bound = [number for number, item in enumerate(swept) if self._binds(item, axes[number])]
        check_combinations([axes[number] for number in bound])
        for positions in combinations(bound, sizes):
            fixed = dict(zip(bound, positions, strict=True))
            with refusals_of_hydra(self._known_keys):
                yield self._template(axes, fixed)

    def _template(self, axes: Sequence[Axis], fixed: dict[int, int]) -> ConfigTemplate:
        at = (axis.values[fixed.get(number, 0)] for number, axis in enumerate(axes))
        point = Point(dict(zip((axis.key for axis in axes), at, strict=True)))
        cfg, late, choices = self._start(point)
        free = tuple(number for number in range(len(axes)) if number not in fixed)
        certain = not _overlap([item.key_or_group for item in late], [axes[n].key for n in free])
        for item in late:
            certain = certain and is_certain(cfg, item)
            _apply(item, cfg)
        sizes = check_resolved_size(cfg, longest_values(cfg, axes, free))
        self._app.complete(cfg)
        check_command(cfg)
        found = find_parts(cfg, axes, free, sizes) if certain else None
        config, parts = found or (_plain(cfg), None)
        origins = find_origins(cfg)
        self.notes.look_at(config, origins.own, _excluded(cfg))
        references = identity_of(origins.hidden)
        if any(_lie_within(part.path, path) for part in parts or () for path in references):
            parts = None
        return ConfigTemplate(fixed, config, parts, references, choices)

    def _binds(self, override: Override, axis: Axis) -> bool:
        """Return whether a value of an axis may change more of a config than its own key."""
        if override.is_delete() or not _SIMPLE_KEY.fullmatch(override.key_or_group):
            return True
        if self._folder.is_group(override.key_or_group) or override.package is not None:
            return True
        return not all(
            value is None
            or isinstance(value, bool | int | float)
            or (isinstance(value, str) and "${" not in value and value != "???")
            for value in axis.values
        )

    def resolve(self, point: Point) -> dict[str, Value]:
        """Return the resolved config of a point as builtin types, without Hydra's own node.

        Raises:
            ConfigError: Hydra cannot compose it, or a value is missing or cannot be resolved.
        """
        with refusals_of_hydra(self._known_keys):
            return _plain(self.compose(point))

    def resolve_for_identity(self, point: Point) -> dict[str, Value]:
        """Return the config that determines a point's run ID: references in place of credentials.

        Raises:
            ConfigError: As ``resolve``.
        """
        with refusals_of_hydra(self._known_keys):
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
        with refusals_of_hydra(self._known_keys):
            made, has_own = _conceal(self.compose(point))
            made = replace(made, hydra_overrides=self._spell(point, made.written))
        if not has_own or training is None:
            return made
        return replace(made, give_own=partial(self._conceal_with_own, point, training))

    def _conceal_with_own(
        self, point: Point, training: PurePath, run_id: RunId, number: int
    ) -> Concealed:
        with refusals_of_hydra(self._known_keys):
            cfg = self.compose(point)
            provide_own(cfg, training, run_id, number)
            made = _conceal(cfg)[0]
            return replace(made, hydra_overrides=self._spell(point, made.written))

    def _spell(self, point: Point, written: Mapping[str, Value]) -> tuple[str, ...]:
        """Return the overrides from which Hydra composes a point, in Hydra's grammar."""
        chosen = (choose(override, point) for override in self.overrides)
        return tuple(
            without_secret_value(override, written)
            for override in chosen
            if is_for_program(override, self.own_keys)
        )

    def compose(self, point: Point) -> DictConfig:
        """Return the config of a point before interpolations are resolved.

        Raises:
            ConfigError: Resolving it would take too long.
            HydraException: Hydra rejects it.
        """
        cfg, late, _ = self._start(point)
        for item in late:
            _apply(item, cfg)
        check_resolved_size(cfg)
        self._app.complete(cfg)
        return cfg

    def _start(self, point: Point) -> tuple[DictConfig, list[Override], Mapping[str, str]]:
        """Return a copy of the config composed with a point's choices, the other overrides, the choices."""
        chosen = [choose(override, point) for override in self.overrides]
        early = [item for item in chosen if self._folder.is_choice(item)]
        late = [item for item in chosen if not self._folder.is_choice(item)]
        pickled, made = self._compose(early)
        cfg = _copy(pickled)
        typed = [
            str(item.input_line)
            for item in chosen
            if not item.is_hydra_override() and is_for_program(item, self.own_keys)
        ]
        settings = partial(self._settings_of_hydra, early)
        name = self._folder.config_name
        provide(cfg, Given(made.choices, name, made.job_name, typed, settings))
        return cfg, late, _names(made.choices)

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


def _apply(override: Override, cfg: DictConfig) -> None:
    check_reach(cfg, override.key_or_group)
    ConfigLoaderImpl._apply_overrides_to_config([override], cfg)


def _names(choices: Mapping[str, object]) -> dict[str, str]:
    """Return the choices by which filters may name configs, by group, also with dots."""
    found = {
        group: name
        for group, name in choices.items()
        if isinstance(name, str) and not group.startswith("hydra/")
    }
    return {group.replace("/", "."): name for group, name in found.items()} | found


def _excluded(cfg: DictConfig) -> Sequence[str]:
    return list(OmegaConf.select(cfg, "orch.identity.exclude") or ())


def _copy(pickled: bytes) -> DictConfig:
    return cast("DictConfig", pickle.loads(pickled))  # noqa: S301 # pickled by this process


def _conceal(cfg: DictConfig) -> tuple[Concealed, bool]:
    """Return a config without its secrets, and whether its run has values for itself in it."""
    config, origins = _plain(cfg), find_origins(cfg)
    return conceal(config, origins.hidden, origins.own), bool(origins.own)


def _lie_within(one: config_template.Path, other: config_template.Path) -> bool:
    """Return whether a path lies within another, different one."""
    return one != other and all(a == b for a, b in zip(one, other, strict=False))


def _overlap(keys: Sequence[str], free: Sequence[str]) -> bool:
    """Return whether two overrides set overlapping keys, one of them on a free axis."""
    dotted = [f"{key}." for key in keys]
    return any(
        sum(key.startswith(f"{mine}.") or f"{mine}.".startswith(key) for key in dotted) > 1
        for mine in free
    )


def _plain(cfg: DictConfig) -> dict[str, Value]:
    return cast("dict[str, Value]", to_plain(cfg))
