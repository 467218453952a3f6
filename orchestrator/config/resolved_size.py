"""The size of a resolved config, estimated before anything is resolved.

Interpolations multiply: of keys that each repeat the previous one four times, the twentieth would have
a billion copies of the first. OmegaConf resolves each occurrence again, so that it would take days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from omegaconf import Container, DictConfig, ListConfig, Node
from omegaconf._utils import split_key
from omegaconf.errors import OmegaConfBaseException
from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser

from orchestrator.config.parsed_interpolations import parse
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_STEPS: Final = 2_000  # each takes a tenth of a millisecond, several times per command
_MOST_VALUES: Final = 300_000
_MOST_CHARACTERS: Final = 2_000_000
_MOST_STEPS_OF_AN_ARGUMENT: Final = 300  # that has to be resolved to know the size
_MOST_STEPS_OF_ARGUMENTS: Final = 1_000  # of all of them
# Resolvers whose first argument is a key, or is evaluated itself.
_OF_KEYS: Final = ("oc.select", "oc.deprecated", "oc.dict.keys", "oc.dict.values")
_OF_TEXT: Final = ("oc.decode", "oc.create")
_INTERPOLATIONS: Final = (
    OmegaConfGrammarParser.InterpolationNodeContext,
    OmegaConfGrammarParser.InterpolationResolverContext,
)
_CONTAINERS: Final = (
    OmegaConfGrammarParser.ListContainerContext,
    OmegaConfGrammarParser.DictContainerContext,
)
_STEPS_OF_A_RESOLVER: Final = 3
# What takes as long as a step: copying half a value, parsing thirty characters.
_STEPS_OF_A_VALUE: Final = 2
_MOST_STEPS_OF_A_COPY: Final = 200
_CHARACTERS_OF_A_STEP: Final = 30


@dataclass(frozen=True, slots=True)
class Size:
    """The interpolations to resolve for a value, the values in it, and their characters."""

    steps: int = 0
    values: int = 0
    characters: int = 0

    def __add__(self, other: Size) -> Size:
        """Return the size of two values together."""
        if other is _NOTHING:  # as for most nodes of a config
            return self
        return Size(
            self.steps + other.steps,
            self.values + other.values,
            self.characters + other.characters,
        )


_NOTHING: Final = Size()


def check_resolved_size(cfg: Node, longest: Mapping[int, int] | None = None) -> ResolvedSize:
    """Make sure that a composed config can be resolved in reasonable time and memory.

    Args:
        cfg: The config, or a node of it.
        longest: The number of characters of nodes that will be set to other values, by ``id``.

    Raises:
        ConfigError: Its interpolations would yield too many values, or too much text.
    """
    sizes = ResolvedSize(longest or {})
    size = sizes.of_interpolations(cfg)
    if _is_too_large(size):
        _refuse(cfg, size)
    return sizes


def check_reach(cfg: DictConfig, key: str) -> None:
    """Make sure that looking up a key resolves no interpolation of unreasonable size.

    Raises:
        ConfigError: It does.
    """
    node: Node | None = cfg
    for step in key.split("."):
        if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
            return
        node = node._get_node(step, validate_access=False)
        if node is not None and node._is_interpolation():
            check_resolved_size(node)
            return  # what it leads to is part of its size


class ResolvedSize:
    """Estimates what the nodes of a config resolve to, each only once.

    A reference to an unknown key counts nothing: resolving reports it. So does a circle.
    """

    def __init__(self, longest: Mapping[int, int]) -> None:
        self._longest = longest
        self._known: dict[int, Size] = {}
        self._steps_taken = 0
        # Of interpolations with others in them, by the ``id`` of their tree and node; trees are kept.
        self._nested: dict[tuple[int, int], tuple[object, Size]] = {}

    def of(self, node: Node | None) -> Size:
        """Return the size of what a node resolves to.

        Raises:
            ConfigError: It is too large.
        """
        if node is None:
            return _NOTHING
        if id(node) not in self._known:
            self._known[id(node)] = _NOTHING  # for circles
            size = self._measure(node)
            if node._is_interpolation() and _is_too_large(size):
                _refuse(node, size)
            self._known[id(node)] = size
        return self._known[id(node)]

    def of_interpolations(self, node: Node) -> Size:
        """Return the size of what the interpolations in a node resolve to; the rest is as it was read.

        Raises:
            ConfigError: One of them resolves to too much.
        """
        if node._is_interpolation():
            return self.of(node)
        size = _NOTHING
        if isinstance(node, Container) and not (node._is_none() or node._is_missing()):
            for key in _keys(node):
                inner = cast("Any", node)._get_node(key, validate_access=False)
                size += self.of_interpolations(inner)
        return size

    def _measure(self, node: Node) -> Size:
        if id(node) in self._longest:
            return Size(values=1, characters=self._longest[id(node)])
        if node._is_interpolation():
            return self._of_text(str(node._value()), node)
        if not isinstance(node, Container):
            value = node._value()
            return Size(values=1, characters=len(value) if isinstance(value, str) else 0)
        size = Size(values=1)
        if not (node._is_none() or node._is_missing()):
            for key in _keys(node):
                size += self.of(cast("Any", node)._get_node(key))
        return size

    def _of_text(self, text: str, node: Node, **mode: str) -> Size:
        try:
            return self._of_tree(parse(text, **mode), node)
        except OmegaConfBaseException:
            return _NOTHING

    def _of_tree(self, tree: Any, node: Node) -> Size:  # noqa: ANN401 # ANTLR has no types
        """Return the size of all that a part of an interpolation's syntax tree refers to."""
        size = Size(characters=len(tree.getText()))
        waiting = [tree]
        while waiting:
            context = waiting.pop()
            if isinstance(context, _INTERPOLATIONS):
                size += self._of_interpolation(context, node)
            elif hasattr(context, "getChildren"):
                size += Size(values=isinstance(context, _CONTAINERS))
                waiting.extend(context.getChildren())
        return size

    def _of_interpolation(self, context: Any, node: Node) -> Size:  # noqa: ANN401 # as above
        """Return the size of an interpolation; one that is nested in others is measured once."""
        place = id(context), id(node)
        if place in self._nested:
            return self._nested[place][1]
        is_reference = isinstance(context, OmegaConfGrammarParser.InterpolationNodeContext)
        measure = self._of_reference if is_reference else self._of_resolver
        size = measure(context, node)
        if context.getText().count("${") > 1:
            self._nested[place] = context, size
        return size

    def _of_reference(self, context: Any, node: Node) -> Size:  # noqa: ANN401 # as above
        """Return the size of what ``${key}`` refers to; keys within the key are resolved."""
        size, steps = Size(steps=1), list[object]()
        for child in list(context.getChildren())[1:-1]:
            text = child.getText()
            size += self._of_tree(child, node) if "${" in text else _NOTHING
            steps.append(self._resolve(child, node) if "${" in text else text)
        if not all(isinstance(step, str) for step in steps):
            return size
        return size + self._of_key("".join(cast("list[str]", steps)), node)

    def _of_resolver(self, context: Any, node: Node) -> Size:  # noqa: ANN401 # as above
        """Return the size of a resolver's arguments, and of what the first one leads to."""
        name, arguments = context.resolverName().getText(), context.sequence()
        size = Size(steps=_STEPS_OF_A_RESOLVER)
        if arguments is None:
            return size
        given = self._of_tree(arguments, node)
        size += given + Size(steps=_work_of(name, given))
        if _is_too_large(size):
            _refuse(node, size)
        first = arguments.getChild(0)
        if name in _OF_KEYS:
            key = self._resolve(first, node)
            size += self._of_key(key, node) if isinstance(key, str) else _NOTHING
        elif name in _OF_TEXT:
            for text in _texts(self._resolve(first, node)):
                if "${" in text:
                    rule = {"parser_rule": "singleElement", "lexer_mode": "VALUE_MODE"}
                    size += self._of_text(text, node, **(rule if name == "oc.decode" else {}))
        return size

    def _resolve(self, context: Any, node: Node) -> object:  # noqa: ANN401 # as above
        """Resolve a part of an interpolation whose size is known to be reasonable."""
        size = self._of_tree(context, node)
        if _is_too_large(size, _MOST_STEPS_OF_AN_ARGUMENT):
            _refuse(node, size, _MOST_STEPS_OF_AN_ARGUMENT)
        self._steps_taken += size.steps
        if self._steps_taken > _MOST_STEPS_OF_ARGUMENTS:
            _refuse(node, size, _MOST_STEPS_OF_ARGUMENTS)
        try:
            found = _container(node).resolve_parse_tree(context, node=node)
        except OmegaConfBaseException:
            return None
        return found._value() if isinstance(found, Node) else found

    def _of_key(self, key: str, node: Node) -> Size:
        """Return the size of the node behind a key, as OmegaConf looks it up."""
        size = _NOTHING
        try:
            at, key = _container(node)._resolve_key_and_root(key)
            for step in split_key(key):
                if at is None or at._is_none() or at._is_missing():
                    return size
                if at._is_interpolation():
                    size += self.of(at)
                    at = cast("Any", at)._dereference_node()
                place = int(step) if isinstance(at, ListConfig) else step
                at = cast("Any", at)._get_node(place, validate_access=False)
        except (OmegaConfBaseException, ValueError, IndexError, TypeError, AttributeError):
            return size  # reported when it is resolved
        return size + self.of(at)


def _work_of(resolver: str, given: Size) -> int:
    """Return the steps that a resolver takes as long as, for arguments of this size."""
    if resolver == "oc.create":  # copies them
        return min(_STEPS_OF_A_VALUE * given.values, _MOST_STEPS_OF_A_COPY)
    return given.characters // _CHARACTERS_OF_A_STEP if resolver == "oc.decode" else 0


def _is_too_large(size: Size, most_steps: int = _MOST_STEPS) -> bool:
    return (
        size.steps > most_steps or size.values > _MOST_VALUES or size.characters > _MOST_CHARACTERS
    )


def _refuse(node: Node, size: Size, most_steps: int = _MOST_STEPS) -> NoReturn:
    key = node._get_full_key(None) or "the config"
    if size.characters > _MOST_CHARACTERS:
        what = f"would resolve to more than {_MOST_CHARACTERS:,} characters"
    elif size.values > _MOST_VALUES:
        what = f"would resolve to more than {_MOST_VALUES:,} values"
    else:
        what = f"would take more than {most_steps:,} interpolations to resolve"
    raise ConfigError(f"{key} {what}. Refer to fewer keys that contain interpolations themselves.")


def _container(node: Node) -> Any:  # noqa: ANN401 # OmegaConf's methods of all containers
    return node if node._get_parent_container() is None else node._get_parent_container()


def _keys(container: Container) -> Iterable[object]:
    if isinstance(container, DictConfig):
        return container.keys()
    return range(len(cast("ListConfig", container)))


def _texts(value: object) -> Iterable[str]:
    """Yield the strings in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
