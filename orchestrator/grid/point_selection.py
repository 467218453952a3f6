"""Run selection: which points of a grid are runs, and why the others are not."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.errors import GridError, IdentityError
from orchestrator.grid.axes import describe_point
from orchestrator.grid.config_template import combinations, put
from orchestrator.grid.config_values import Missing
from orchestrator.grid.counts_by_grid import FilterCount, GridCount, count_by_grid, sum_of_filters
from orchestrator.grid.filtering_in_blocks import BlockSelection, Selected, strides
from orchestrator.grid.filters_per_point import Rules, naming_the_point
from orchestrator.grid.identity import Concealed, identify
from orchestrator.grid.known_configs import KnownConfigs
from orchestrator.grid.lazy_runs import Exclusions, Runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.grid.axes import Point
    from orchestrator.grid.config_template import ConfigTemplate
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.filters import Condition
    from orchestrator.grid.identity import Run
    from orchestrator.grid.lazy_runs import Conceal, Exclusion, Resolve
    from orchestrator.grid.points import Points


_MOST_ONE_BY_ONE: Final = 500_000  # points; half a millisecond each


@dataclass(frozen=True, slots=True)
class Selection:
    """The runs, duplicates and exclusions of grids, which add up to ``points``.

    ``repeats`` counts the duplicates by the axes in which they differ from the run they repeat; no
    axes: an axis has a value twice. ``grids`` counts by grid, and ``overlaps`` are the duplicates of
    runs of another grid; ``repeated`` has one pair of points for each set of axes in which duplicates
    differ. ``warnings`` name keys that a filter reads and no point has.
    ``meant`` are the indices of the runs that meet the condition, None without one; ``samples``
    those of the first run of each template.
    """

    points: int
    duplicates: int
    runs: Sequence[Run]
    filters: tuple[FilterCount, ...]
    exclusions: Sequence[Exclusion]
    warnings: tuple[str, ...]
    repeats: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    meant: Sequence[int] | None = None
    samples: Sequence[int] = ()
    grids: tuple[GridCount, ...] = ()
    overlaps: int = 0
    repeated: Mapping[tuple[str, ...], tuple[Point, Point]] = field(default_factory=dict)


def select_runs(  # noqa: PLR0913, PLR0917 # everything that a selection depends on
    span: Points,
    templates: Iterable[ConfigTemplate],
    resolve: Resolve,
    filters: Sequence[str],
    exclude: Sequence[str] = (),
    conceal: Conceal | None = None,
    only: Condition | None = None,
) -> Selection:
    """Drop the points that a filter excludes, then those that repeat an earlier run.

    Args:
        span: The points of the grids; runs are in their order.
        templates: The config templates; every point belongs to one of them.
        resolve: Returns the resolved config of a point whose template has no parts.
        filters: Filters that apply to all points, besides their own (``_filters``).
        exclude: Dotted keys that are not part of the run ID.
        conceal: Returns the config of a point without its secrets; None: there are no secrets.
        only: The condition for a run to be among those ``meant``.

    Raises:
        FilterError: A filter cannot be parsed, or orders values that have no order.
        IdentityError: A config has no stable form.
    """
    rules = Rules(filters, only)
    reader = _Reader(span, resolve, rules, exclude)
    found, first_of_each = reader.read_all(templates := [*templates])
    points = len(found.kept) + len(found.dropped)
    numbers, digests = _in_order(found.kept, found.digests)
    dropped = sorted(found.dropped)
    kept = numbers
    numbers, digests, found_twice = _without_duplicates(span, numbers, digests)
    conceal = conceal or partial(_hide_nothing, resolve)
    grids = count_by_grid(span, kept, numbers, dropped, rules.texts)
    rules.check_condition(reader.example)
    return Selection(
        points=points,
        duplicates=len(kept) - len(numbers),
        runs=Runs(span, numbers, digests, conceal, exclude, KnownConfigs(span, templates)),
        filters=sum_of_filters(grids),
        exclusions=Exclusions(span, dropped, rules.texts),
        warnings=rules.warnings(reader.example),
        repeats=found_twice.repeats,
        meant=None if only is None else _places_of(numbers, found.meant or ()),
        samples=_places_of(numbers, first_of_each),
        grids=grids,
        overlaps=found_twice.overlaps,
        repeated=found_twice.examples,
    )


def _places_of(numbers: Sequence[int], wanted: Sequence[int]) -> Sequence[int]:
    """Return the index of each wanted point number that is among the numbers."""
    chosen = frozenset(wanted)
    return [place for place, number in enumerate(numbers) if number in chosen] if chosen else ()


def _hide_nothing(resolve: Resolve, point: Point) -> Concealed:
    config = resolve(point)
    return Concealed(config, config)


class _Reader:
    """Selects the points of templates: in blocks if their parts are known, else point by point."""

    def __init__(
        self, span: Points, resolve: Resolve, rules: Rules, exclude: Sequence[str]
    ) -> None:
        self._span = span
        self._resolve = resolve
        self._rules = rules
        self._exclude = exclude
        self.example: Mapping[str, Value] = {}

    def read_all(self, templates: Iterable[ConfigTemplate]) -> tuple[Selected, list[int]]:
        """Return the points of all templates, and the first kept point of each template."""
        kept: list[int] = []
        digests: list[bytes] = []
        dropped: list[tuple[int, int]] = []
        meant: list[int] = []
        first_of_each: list[int] = []
        for template in templates:
            before = len(kept)
            for block in self.read(template):
                kept.extend(block.kept)
                digests.extend(block.digests)
                dropped.extend(block.dropped)
                meant.extend(block.meant or ())
            first_of_each.extend(kept[before : before + 1])
        return Selected(kept, digests, dropped, meant), first_of_each

    def read(self, template: ConfigTemplate) -> Iterable[Selected]:
        """Return the kept and dropped points of a template."""
        if template.parts is None:
            return [self._one_by_one(template)]
        self.example = template.config
        first = self._span.first(template.grid)
        sizes, steps = self._extents(template)
        describe = partial(self._describe, first)
        blocks = BlockSelection(template, sizes, self._rules, describe, steps)
        self._rules.forget_keys(blocks.unknown)
        try:
            return [block.moved(first) for block in blocks.select(self._exclude)]
        except IdentityError:
            # Some value has no stable form; it may belong to dropped points only.
            return [self._one_by_one(template)]

    def _one_by_one(self, template: ConfigTemplate) -> Selected:
        kept, digests, dropped, meant = [], [], [], []
        sizes, steps = self._extents(template)
        free = template.free(len(sizes))
        first = self._span.first(template.grid) + sum(
            steps[number] * at for number, at in template.fixed.items()
        )
        count = math.prod(sizes[number] for number in free)
        if count > _MOST_ONE_BY_ONE:
            raise GridError(
                f"{count:,} points of this grid have to be composed one by one, since the config"
                f" values that depend on the axes are unknown: the maximum is {_MOST_ONE_BY_ONE:,}."
                " Give the axes fewer values, or override nothing around them."
            )
        for positions in combinations(free, sizes):
            at = dict(zip(free, positions, strict=True))
            if not all(demand.is_met(at) for demand in template.demands):
                continue
            number = first + sum(steps[n] * place for n, place in at.items())
            point = self._span[number]
            config = self.example = self._resolve(point)
            with naming_the_point(partial(self._describe, 0, number)):
                excluded_by, is_meant = self._rules.judge(config, template.choices)
            self._rules.forget_keys_of(config, template.choices)
            if excluded_by is not None:
                dropped.append((number, excluded_by))
                continue
            kept.append(number)
            counted = put(config, template.references)
            digest = identify(counted, point.values, self._exclude).digest
            digests.append(bytes.fromhex(digest))
            if is_meant:
                meant.append(number)
        return Selected(kept, digests, dropped, meant)

    def _extents(self, template: ConfigTemplate) -> tuple[list[int], list[int]]:
        """Return the number of values of each axis, and what a step on it adds to a point's number."""
        axes = self._span.grids[template.grid]
        return [len(axis.values) for axis in axes], strides([axis.positions for axis in axes])

    def _describe(self, first: int, number: int) -> str:
        return describe_point(self._span[first + number].values)


def _in_order(
    numbers: Sequence[int], digests: Sequence[bytes]
) -> tuple[Sequence[int], Sequence[bytes]]:
    """Sort by the numbers of the points; those of different templates may interleave."""
    if all(map(int.__lt__, numbers, numbers[1:])):
        return numbers, digests
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    return [numbers[at] for at in order], [digests[at] for at in order]


@dataclass(slots=True)
class _Duplicates:
    """Those of the same grid, counted by the axes in which they differ, and those of an earlier grid."""

    repeats: Counter[tuple[str, ...]] = field(default_factory=Counter)
    overlaps: int = 0
    examples: dict[tuple[str, ...], tuple[Point, Point]] = field(default_factory=dict)


def _without_duplicates(
    span: Points, numbers: Sequence[int], digests: Sequence[bytes]
) -> tuple[Sequence[int], Sequence[bytes], _Duplicates]:
    """Keep the first point of each digest, and count the others."""
    found = _Duplicates()
    if len(set(digests)) == len(digests):
        return numbers, digests, found
    first: dict[bytes, int] = {}
    for number, digest in zip(numbers, digests, strict=True):
        original = first.setdefault(digest, number)
        if original == number:
            continue
        one, other = span[original], span[number]
        axes = _differing(one.values, other.values)
        found.examples.setdefault(axes, (one, other))
        if one.grid != other.grid:
            found.overlaps += 1
        else:
            found.repeats[axes] += 1
    return list(first.values()), list(first), found


def _differing(one: Mapping[str, Value], other: Mapping[str, Value]) -> tuple[str, ...]:
    """Return the axes on which two points differ."""
    if one.keys() == other.keys():
        return tuple(key for key in one if one[key] != other[key])
    unset = Missing()
    return tuple(key for key in {**one, **other} if one.get(key, unset) != other.get(key, unset))
