"""The grids that a config and the command line declare: the overrides of each, and its axes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.config.axis_combination import GRIDS, SEARCH, WHEN, ZIP, refuse_unknown
from orchestrator.config.overrides import choose_all, make_axis, merge, name_of, with_open_settings
from orchestrator.errors import GridError
from orchestrator.grid.points import Points

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hydra.core.override_parser.types import Override

    from orchestrator.config.axis_combination import GridForms
    from orchestrator.config.hydra_composition import ConfigFolder
    from orchestrator.grid.axes import Axis, Point
    from orchestrator.grid.search_space import SearchSpace


@dataclass(frozen=True, slots=True)
class DeclaredGrids:
    """The overrides of each grid, in order, and the points that they span.

    The points of a ``search`` are chosen later: ``span`` has an example.
    """

    overrides: tuple[tuple[Override, ...], ...]
    span: Points
    search: SearchSpace | None = None

    def alone(self, number: int) -> DeclaredGrids:
        """Return one of the grids."""
        return replace(
            self, overrides=(self.overrides[number],), span=Points(self.span.grids[number])
        )

    def choose(self, point: Point) -> list[Override]:
        """Return the overrides that yield a point, each with one value."""
        grid = self._grid_of(point)
        axes = self.span.grids[grid]
        conditional = {each.key for axis in axes if axis.when for each in axis.each}
        return choose_all(self.overrides[grid], point, conditional)

    def _grid_of(self, point: Point) -> int:
        """Return the grid of a point: of one that is known by its values only, the first that fits."""
        if len(self.overrides) == 1 or not point.values:
            return point.grid
        numbers = (point.grid, *range(len(self.overrides)))
        return next((grid for grid in numbers if self._fits(point, grid)), point.grid)

    def _fits(self, point: Point, grid: int) -> bool:
        axes = self.span.grids[grid]
        keys = {each.key: axis.when is None for axis in axes for each in axis.each}
        needed = {key for key, is_needed in keys.items() if is_needed}
        return needed <= point.values.keys() <= keys.keys()


def declare_grids(
    folder: ConfigFolder,
    declared: Sequence[Override],
    given: Sequence[Override],
    forms: GridForms,
) -> DeclaredGrids:
    """Return the grids: one, or one per grid of ``forms``, which has the common axes as well.

    Args:
        folder: The config folder.
        declared: The overrides in the config, ``hydra.sweeper.params``.
        given: Those of the command line, which take precedence over all others.
        forms: How the axes combine.

    Raises:
        GridError: An axis cannot be expanded, or a form names what is not an axis.
        ConfigError: A value cannot be read.
    """
    if forms.is_search:
        return _declare_search(folder, merge(declared, given))
    lists, grids = [], []
    typed = {name_of(item) for item in given}
    combined = {*forms.when, *(key for group in forms.zipped for key in group)}
    for texts in forms.grids or ({},):
        own = folder.parse([f"{key}={value}" for key, value in texts.items()])
        merged = [with_open_settings(it) for it in merge(merge(declared, own), given)]
        lists.append(tuple(merged))
        names = {name_of(it) for it in own if not it.is_delete()} - typed
        axes = {
            name_of(item): make_axis(item, folder)
            for item in merged
            if item.is_sweep_override() or name_of(item) in combined | names
        }
        grids.append(axes)
    known = {key for axes in grids for key in axes}
    refuse_unknown(ZIP, [key for group in forms.zipped for key in group], known)
    refuse_unknown(WHEN, forms.when, known)
    where = f"{GRIDS}, grid {{}}: " if forms.grids else ""
    span = Points(*(_combine(it, forms, where.format(at)) for at, it in enumerate(grids, 1)))
    span.check_size()
    return DeclaredGrids(tuple(lists), span)


def _declare_search(folder: ConfigFolder, merged: Sequence[Override]) -> DeclaredGrids:
    swept = [item for item in merged if item.is_sweep_override()]
    if not swept:
        raise GridError(
            f"{SEARCH}: no key has several values to choose from. Give some, such as"
            " optimizer.lr='tag(log,interval(0.001,1))'."
        )
    from orchestrator.config.search_dimensions import make_space  # noqa: PLC0415 # few are searches

    space, examples = make_space(swept, folder)
    overrides = tuple(map(with_open_settings, merged))
    return DeclaredGrids((overrides,), Points(examples), space)


def _combine(axes: Mapping[str, Axis], forms: GridForms, where: str) -> list[Axis]:
    """Return the axes of a grid; each of those that vary together stands where the first one does.

    Raises:
        GridError: They have different numbers of values.
    """
    groups = {key: group for group in forms.zipped for key in group}
    found: list[Axis] = []
    taken: set[str] = set()
    for key, axis in axes.items():
        if key in taken:
            continue
        together = [name for name in axes if name in groups.get(key, (key,))]
        _check_lengths(axes, groups.get(key, (key,)), where)
        taken.update(together)
        others = tuple(axes[name] for name in together if name != key)
        found.append(replace(axis, along=others, when=forms.when.get(key)))
    return found


def _check_lengths(axes: Mapping[str, Axis], group: Collection[str], where: str) -> None:
    sizes = {key: len(axes[key].values) if key in axes else 0 for key in group}
    if len(set(sizes.values())) > 1:
        named = ", ".join(
            f"{key} ({size or 'no'} {'values' if size > 1 else 'value'})"
            for key, size in sizes.items()
        )
        raise GridError(
            f"{where}{ZIP} pairs {named}: their numbers of values differ. Give each the same number."
        )
