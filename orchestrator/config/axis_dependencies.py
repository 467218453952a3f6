"""Axis dependencies: which config values depend, through interpolations, on which axes.

This module reads OmegaConf's raw nodes. An interpolation whose references are unknown, because it
contains a resolver or another interpolation, counts as dependent on every axis.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from hydra.core.override_parser.types import OverrideType
from omegaconf import AnyNode, Container, DictConfig, ListConfig, Node, OmegaConf
from omegaconf._utils import split_key
from omegaconf.errors import OmegaConfBaseException
from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser

from orchestrator.config.parsed_interpolations import parse
from orchestrator.config.plain_values import plain_value, to_plain
from orchestrator.config.starting_digest import RESOLVER
from orchestrator.errors import ConfigError
from orchestrator.grid.config_template import Part, combinations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hydra.core.override_parser.types import Override

    from orchestrator.config.resolved_size import ResolvedSize
    from orchestrator.grid.axes import Axis
    from orchestrator.grid.config_template import Path, Positions
    from orchestrator.grid.config_values import Value

_MARK: Final = re.compile("(\0\\d+\0)")
# Combinations; fewer are resolved one by one, in a quarter of a millisecond each.
_MANY: Final = 2_000
_MOST: Final = 200_000
_MOST_STEPS: Final = 500_000  # interpolations to resolve for all combinations
_MOST_CHARACTERS: Final = 200_000_000
_CONFIG_ONLY: Final = ("oc.env", "hydra", RESOLVER)  # they do not read the config
_Nodes: TypeAlias = dict[int, list[AnyNode]]  # those that axes set, by their numbers


@dataclass(frozen=True, slots=True)
class _Place:
    """A node that depends on axes, and its container."""

    path: Path
    container: Container
    key: object
    axes: frozenset[int]


def find_parts(
    cfg: DictConfig, axes: Sequence[Axis], free: Positions, resolved: ResolvedSize
) -> tuple[dict[str, Value], tuple[Part, ...]] | None:
    """Return the resolved config, and the parts of it that depend on the free axes.

    ``cfg`` is the composed config of the first point; its nodes are temporarily set to the other
    values. The result is None if the dependencies are uncertain. ``resolved`` knows the sizes of its
    nodes for the longest values.

    Raises:
        ConfigError: The values for all combinations would take too much time or memory.
        OmegaConfBaseException: The first point cannot be resolved.
    """
    leaves = {number: [_leaf(cfg, each.key) for each in axes[number].each] for number in free}
    config = cast("dict[str, Value]", to_plain(cfg))
    if any(leaf is None for those in leaves.values() for leaf in those):
        return None
    nodes = cast("_Nodes", leaves)
    places = list(_Tracer(nodes).places(cfg, ()))
    try:
        parts = tuple(_part(cfg, place, axes, nodes, resolved) for place in places)
    except (OmegaConfBaseException, RecursionError):
        return None  # resolving point by point then finds the first invalid one
    return config, parts


def longest_values(cfg: DictConfig, axes: Sequence[Axis], free: Positions) -> dict[int, int]:
    """Return the length of the longest value that each free axis gives a node, by the node's ``id``."""
    leaves = ((each, _leaf(cfg, each.key)) for number in free for each in axes[number].each)
    return {
        id(leaf): max(len(str(value)) for value in axis.values)
        for axis, leaf in leaves
        if leaf is not None
    }


def is_certain(cfg: DictConfig, override: Override) -> bool:
    """Return whether an override has the same effect whatever values the other overrides set.

    It has not if its key leads through an interpolation, which may then refer to another node.
    """
    if override.is_delete() and override.value() is not None:
        return False
    node: Node | None = cfg
    steps = override.key_or_group.split(".")
    for depth, step in enumerate(steps):
        if not isinstance(node, Container) or node._is_none():
            return True  # there is no interpolation on the way
        if node._is_interpolation() or node._is_missing() or "[" in step:
            return False
        if isinstance(node, ListConfig):
            return False
        node = cast("Node | None", cast("Any", node)._get_node(step, validate_access=False))
        if depth == len(steps) - 1:
            break
    if node is None or override.type is OverrideType.CHANGE:
        is_merge = isinstance(override.value(), dict | list)
        return not (is_merge and node is not None and "${" in str(_raw(node)))
    return "${" not in str(_raw(node))


def _raw(node: Node) -> object:
    return OmegaConf.to_container(node) if isinstance(node, Container) else node._value()


def _leaf(cfg: DictConfig, key: str) -> AnyNode | None:
    """Return the untyped node that an override of this key sets; None if interpolations are involved."""
    node: Node | None = cfg
    for step in key.split("."):
        if not isinstance(node, DictConfig) or node._is_interpolation() or node._is_missing():
            return None
        node = node._get_node(step, validate_access=False)
    return node if type(node) is AnyNode else None


def _part(
    cfg: DictConfig,
    place: _Place,
    axes: Sequence[Axis],
    nodes: _Nodes,
    resolved: ResolvedSize,
) -> Part:
    numbers = tuple(sorted(place.axes))
    sizes = [len(axis.values) for axis in axes]
    count = math.prod(sizes[number] for number in numbers)
    leaves = [leaf for number in numbers for leaf in nodes[number]]
    size = resolved.of(cast("Any", place.container)._get_node(place.key))

    def at(values: Sequence[object]) -> Value:
        for leaf, value in zip(leaves, values, strict=True):
            leaf._val = value
        OmegaConf.clear_cache(cfg)
        return _resolve(place)

    def found(positions: Positions) -> Value:
        chosen = zip(numbers, positions, strict=True)
        return at([each.values[p] for n, p in chosen for each in axes[n].each])

    try:
        most = min(_MOST, _MOST_STEPS // max(size.steps, 1))
        can_verify = sum(sizes[number] for number in numbers) <= most
        can_verify = can_verify and not any(axes[number].along for number in numbers)
        write = _find_text(at, found, numbers, axes) if count > _MANY and can_verify else None
        if write is not None:
            most = count
        most = min(most, _MOST_CHARACTERS // max(size.characters, 1))
        if count > most:
            names = ", ".join(axes[number].key for number in numbers)
            raise ConfigError(
                f"{'.'.join(map(str, place.path))} depends on {names} together: {count:,} combinations"
                f" would have to be resolved, the maximum is {most:,}. Remove the key, or give the"
                " axes fewer values."
            )
        make = write or found
        values = {positions: make(positions) for positions in combinations(numbers, sizes)}
    finally:
        for leaf, axis in zip(leaves, (it for n in numbers for it in axes[n].each), strict=True):
            leaf._val = axis.values[0]
    return Part(place.path, numbers, values)


def _find_text(
    resolve: Callable[[Sequence[object]], Value],
    found: Callable[[Positions], Value],
    numbers: Positions,
    axes: Sequence[Axis],
) -> Callable[[Positions], Value] | None:
    """Return a function that formats the value at positions, if it concatenates the axes' values.

    The value is resolved with markers in place of the axes' values to find the constant strings
    between them. Each value of each axis is then verified, to detect anything but concatenation.
    """
    marks = {f"\0{number}\0": column for column, number in enumerate(numbers)}
    try:
        text = resolve(list(marks))
    except OmegaConfBaseException:
        return None
    pieces = _MARK.split(text) if isinstance(text, str) else []
    columns = [marks.get(mark, -1) for mark in pieces[1::2]]
    if set(columns) != set(marks.values()) or pieces == ["", *marks, ""]:
        return None
    texts = [[str(value) for value in axes[number].values] for number in numbers]

    def write(positions: Positions) -> Value:
        parts = [*pieces]
        parts[1::2] = [texts[column][positions[column]] for column in columns]
        return "".join(parts)

    first = (0,) * len(numbers)
    for column, those in enumerate(texts):
        for position in range(len(those)):
            positions = (*first[:column], position, *first[column + 1 :])
            if write(positions) != found(positions):
                return None
    return write


def _resolve(place: _Place) -> Value:
    """Return the value of a node, exactly as converting the whole config would."""
    node = cast("Any", place.container)._get_child(place.key, throw_on_missing_value=True)
    node = node._dereference_node()
    return to_plain(node) if isinstance(node, Container) else plain_value(node._value())


class _Tracer:
    """Follows interpolations from the nodes of a config to the nodes that axes set."""

    def __init__(self, nodes: _Nodes) -> None:
        self._every = frozenset(nodes)
        self._leaves = {id(it): frozenset({at}) for at, those in nodes.items() for it in those}
        self._known: dict[int, frozenset[int]] = {}

    def places(self, container: Container, path: Path) -> Iterator[_Place]:
        """Yield the outermost nodes that depend on an axis."""
        if container._is_none() or container._is_missing():
            return
        for key in _keys(container):
            node = cast("Node", cast("Any", container)._get_node(key))
            if isinstance(node, Container) and not node._is_interpolation():
                yield from self.places(node, (*path, key))
            elif found := self._axes(node):
                yield _Place((*path, key), container, key, found)

    def _axes(self, node: Node) -> frozenset[int]:
        if id(node) in self._leaves:
            return self._leaves[id(node)]
        if node._is_interpolation():
            if id(node) not in self._known:
                self._known[id(node)] = self._every  # a cycle is never certain
                self._known[id(node)] = self._of_interpolation(node)
            return self._known[id(node)]
        if not isinstance(node, Container) or node._is_none() or node._is_missing():
            return frozenset()
        children = (cast("Any", node)._get_node(key) for key in _keys(node))
        return frozenset().union(*map(self._axes, children))

    def _of_interpolation(self, node: Node) -> frozenset[int]:
        found: frozenset[int] = frozenset()
        for reference in _references(str(node._value())):
            if reference is None:
                return self._every
            found |= self._of_reference(node, reference)
        return found

    def _of_reference(self, node: Node, reference: str) -> frozenset[int]:
        """Return the axes that the node behind a reference depends on."""
        try:
            parent = cast("Container", node._get_parent_container())
            root, key = parent._resolve_key_and_root(reference)
            at: Node | None = root
            for step in split_key(key):
                if not isinstance(at, Container) or at._is_none() or at._is_missing():
                    return self._every
                if at._is_interpolation():
                    if self._axes(at):
                        return self._every
                    at = cast("Container", at._dereference_node())
                place = int(step) if isinstance(at, ListConfig) else step
                at = cast("Any", at)._get_node(place, validate_access=False)
        except (OmegaConfBaseException, ValueError, IndexError):
            return self._every
        return self._every if at is None else self._axes(at)


def _keys(container: Container) -> Iterable[object]:
    if isinstance(container, DictConfig):
        return container.keys()
    return range(len(cast("ListConfig", container)))


def _references(text: str) -> Iterator[str | None]:
    """Yield the keys that a value's interpolations refer to; None for an unknown one."""
    waiting: list[Any] = [parse(text)]
    while waiting:
        context = waiting.pop()
        if isinstance(context, OmegaConfGrammarParser.InterpolationNodeContext):
            written = context.getText()[2:-1].strip()
            yield None if "${" in written else written
        elif isinstance(context, OmegaConfGrammarParser.InterpolationResolverContext):
            name = cast("Any", context).resolverName().getText()
            if name not in _CONFIG_ONLY:
                yield None
            waiting.extend(context.getChildren())
        elif hasattr(context, "getChildren"):
            waiting.extend(context.getChildren())
