"""Secret detection: which values of a config come from the environment, or are secrets themselves.

This module reads OmegaConf's raw nodes. Each interpolation is resolved individually, while recording
whether it reads the environment, directly or indirectly.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from omegaconf import Container, DictConfig, ListConfig, OmegaConf
from omegaconf.basecontainer import BaseContainer
from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser
from omegaconf.grammar_parser import parse

from orchestrator.config.secret_patterns import (
    has_password,
    is_credential,
    is_named_credential,
    is_named_secret,
    is_secret,
)
from orchestrator.config.secret_references import Hidden
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from omegaconf import Node

    from orchestrator.grid.config_template import Path

_ENVIRONMENT: Final = "oc.env"
_NOW: Final = "now"
_TIME: Final = "\0time"  # among the recorded variables
_PLACES: Final = ("results_dir", "experiment_id")
# Resolvers that the trainer can evaluate without the rest of the config.
_ALONE: Final = (_ENVIRONMENT, "oc.decode")
_NOT_WRITTEN: Final = ("hydra", "_filters", "orch")
_NOTHING_BUT_A_NAME: Final = re.compile(r"\$\{oc\.env:\s*\w+\s*\}")
_SHORTEST: Final = 4
_SURE: Final = 12  # characters; a secret of this length does not occur by coincidence


def find_hidden(cfg: DictConfig) -> dict[Path, Hidden]:
    """Return the values that must not be written to disk, by their paths in the resolved config.

    Raises:
        ConfigError: A value that is part of the run ID contains the time.
        OmegaConfBaseException: A value cannot be resolved.
    """
    with _watch_environment() as asked:
        leaves = list(_walk(cfg, (), asked, tainted=()))
    _refuse_time(cfg, [leaf.path for leaf in leaves if leaf.holds_time])
    secrets = [leaf.text for leaf in leaves if leaf.hidden and not leaf.hidden.reference]
    return {
        leaf.path: leaf.hidden or Hidden("")
        for leaf in leaves
        if leaf.hidden or any(_repeats(leaf, secret) for secret in secrets)
    }


class _Leaf(NamedTuple):
    """A value of the resolved config; ``hidden`` is set if it must not be written to disk."""

    path: Path
    text: str
    is_derived: bool
    hidden: Hidden | None
    holds_time: bool


def _refuse_time(cfg: DictConfig, paths: Iterable[Path]) -> None:
    """Reject values that contain the time, unless they are excluded from the run ID."""
    for path in paths:
        keys = [".".join(map(str, path[: depth + 1])) for depth in range(len(path))]
        exclude = OmegaConf.select(cfg, "orch.identity.exclude") or ()
        if path[0] in _PLACES:
            raise ConfigError(
                f"{keys[-1]} contains the time (${{now:...}}), so each orch run would restart all"
                " runs in another folder. Write a constant name."
            )
        if not any(key in exclude for key in keys):
            raise ConfigError(
                f"{keys[-1]} contains the time (${{now:...}}), so each orch run would create new runs"
                f" and resume none. Remove it, or exclude it: orch.identity.exclude=[{keys[-1]}]."
            )


def _repeats(leaf: _Leaf, secret: str) -> bool:
    """Return whether a value contains a secret, too long or derived to be a coincidence."""
    return len(secret) >= (_SHORTEST if leaf.is_derived else _SURE) and (secret in leaf.text)


def check_command(cfg: DictConfig) -> None:
    """Make sure that ``orch.command`` contains no credential: every user of the machine can read it.

    Raises:
        ConfigError: It does.
        OmegaConfBaseException: A value cannot be resolved.
    """
    command = OmegaConf.select(cfg, "orch.command")
    if not isinstance(command, ListConfig):
        return
    with _watch_environment() as asked:
        parts = [str(command[key]) for key in range(len(command))]
        named = [name for name in asked if is_credential(name)]
        secrets = _secrets(cfg)
    shown = [f"${{oc.env:{name}}}" for name in named]
    shown += [key for key, value in secrets if any(value in part for part in parts)]
    shown += ["a password"] if any(map(has_password, parts)) else []
    if shown:
        raise ConfigError(
            f"orch.command would expose {shown[0]} in the list of processes. Let the program read it"
            " from the environment, or from config.yaml in its run directory."
        )


def _secrets(cfg: DictConfig) -> list[tuple[str, str]]:
    """Return the credentials that are long enough to be found in strings, by their keys."""
    config = OmegaConf.to_container(cfg, resolve=False)
    found = []
    for path in _walk_paths(config, ()):
        if any(isinstance(step, str) and is_credential(step) for step in path):
            key = ".".join(map(str, path))
            value = OmegaConf.select(cfg, key)
            if isinstance(value, str) and len(value) >= _SHORTEST and is_secret(path, value):
                found.append((key, value))
    return found


def _walk_paths(node: object, path: Path) -> Iterator[Path]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _walk_paths(value, (*path, key))
    elif path and path[0] not in _NOT_WRITTEN:
        yield path


def _walk(
    container: Container, path: Path, asked: list[str], *, tainted: tuple[str, ...]
) -> Iterator[_Leaf]:
    """Yield the values below a container, which comes from the variables ``tainted``."""
    if container._is_none() or container._is_missing():
        return
    for key in _keys(container):
        here = (*path, key)
        if len(here) == 1 and key in _NOT_WRITTEN:
            continue
        node = target = cast("Node", cast("Any", container)._get_node(key))
        names = tainted
        if node._is_interpolation():
            asked.clear()
            target = node._dereference_node()
            names = (*tainted, *asked)
        if isinstance(target, Container):
            yield from _walk(target, here, asked, tainted=names)
            continue
        value, is_derived = target._value(), node is not target
        hidden = Hidden("") if is_secret(here, value) else None
        holds_time = _TIME in names
        names = tuple(name for name in names if name != _TIME)
        if names:
            hidden = _hide(here, str(node._value()) if is_derived else "", value, names)
        text = value if isinstance(value, str) else ""
        yield _Leaf(here, text, is_derived, hidden, holds_time)


def _hide(path: Path, raw: str, value: object, names: Iterable[str]) -> Hidden:
    """Decide how a value from the environment is written to disk."""
    names = tuple(names)
    can_stay = _stands_alone(raw) and not has_password(raw)
    # The rest of the interpolation, such as a default, may be a secret as well.
    is_credentials = is_secret(path, value) or any(map(is_credential, names))
    if is_credentials and not _NOTHING_BUT_A_NAME.fullmatch(raw):
        can_stay = False
    by_reference = is_named_secret(path, value) or any(map(is_named_credential, names))
    return Hidden(raw if can_stay else "", (raw or "${}") if by_reference else None)


def _stands_alone(raw: str) -> bool:
    """Return whether an interpolation can be resolved without the rest of the config."""
    waiting: list[Any] = [parse(raw)] if raw else []
    while waiting:
        context = waiting.pop()
        if isinstance(context, OmegaConfGrammarParser.InterpolationNodeContext):
            return False
        is_resolver = isinstance(context, OmegaConfGrammarParser.InterpolationResolverContext)
        if is_resolver and context.resolverName().getText() not in _ALONE:
            return False
        if hasattr(context, "getChildren"):
            waiting.extend(context.getChildren())
    return bool(raw)


@contextmanager
def _watch_environment() -> Iterator[list[str]]:
    """Record the variables that interpolations read, within the block."""
    asked: list[str] = []
    resolvers = BaseContainer._resolvers
    # OmegaConf's and Hydra's resolvers, or those that the user's code registered instead.
    before: dict[str, Any] = {
        name: resolvers[name] for name in (_ENVIRONMENT, _NOW) if name in resolvers
    }

    def watch(name: str) -> Any:  # noqa: ANN401 # a function as OmegaConf stores it
        def watched(config: Any, parent: Any, node: Any, args: Any, texts: Any) -> object:  # noqa: ANN401 # as OmegaConf calls it
            asked.append(_TIME if name == _NOW else str(args[0]) if args else "")
            return before[name](config, parent, node, args, texts)

        return watched

    resolvers.update({name: watch(name) for name in before})
    try:
        yield asked
    finally:
        resolvers.update(before)


def _keys(container: Container) -> Iterable[object]:
    if isinstance(container, DictConfig):
        return container.keys()
    return range(len(cast("ListConfig", container)))
