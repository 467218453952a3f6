"""Secret detection: which values of a config come from the environment, or are secrets themselves.

This module reads OmegaConf's raw nodes. Each interpolation is resolved individually, while recording
whether it reads the environment, directly or indirectly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from omegaconf import Container, DictConfig, ListConfig, OmegaConf
from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser

from orchestrator.config.credential_check import (
    has_password,
    is_credential,
    is_credential_as_key,
    is_named_credential,
    is_named_secret,
    is_secret,
    looks_like_credential,
)
from orchestrator.config.outside_reads import OWN, marks_in, variables_in, watch_resolvers
from orchestrator.config.parsed_interpolations import parse
from orchestrator.config.secret_references import Hidden
from orchestrator.config.unstable_values import refuse_unstable
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from omegaconf import Node

    from orchestrator.grid.config_template import Path

_ENVIRONMENT: Final = "oc.env"
# Resolvers that the trainer can evaluate without the rest of the config.
_ALONE: Final = (_ENVIRONMENT, "oc.decode")
_NOT_WRITTEN: Final = ("hydra", "_filters", "orch")
_NOTHING_BUT_A_NAME: Final = re.compile(r"\$\{oc\.env:\s*\w+\s*\}")
_SHORTEST: Final = 4
_SURE: Final = 12  # characters; a secret of this length does not occur by coincidence


class Origins(NamedTuple):
    """What the values of a config come from, by their paths in the resolved config.

    ``hidden`` are the values that must not be written to disk, ``own`` those that each run has for
    itself, such as its directory.
    """

    hidden: dict[Path, Hidden]
    own: tuple[Path, ...]


def find_hidden(cfg: DictConfig) -> dict[Path, Hidden]:
    """Return the values that must not be written to disk; the errors are those of ``find_origins``."""
    return find_origins(cfg).hidden


def find_origins(cfg: DictConfig) -> Origins:
    """Return what the values of a config come from.

    Raises:
        ConfigError: A value that is part of the run ID is another one each time, or a key is a credential.
        OmegaConfBaseException: A value cannot be resolved.
    """
    with watch_resolvers() as asked:
        leaves = list(_walk(cfg, (), asked, tainted=()))
    marked = [(leaf.path, leaf.marks) for leaf in leaves if leaf.marks]
    refuse_unstable(cfg, marked)
    secrets = [leaf.text for leaf in leaves if leaf.hidden and not leaf.hidden.reference]
    hidden = {
        leaf.path: leaf.hidden or Hidden("")
        for leaf in leaves
        if leaf.hidden or any(_repeats(leaf, secret) for secret in secrets)
    }
    return Origins(hidden, tuple(path for path, marks in marked if set(marks) & OWN))


class _Leaf(NamedTuple):
    """A value of the resolved config; ``hidden`` is set if it must not be written to disk."""

    path: Path
    text: str
    is_derived: bool
    hidden: Hidden | None
    marks: tuple[str, ...]


def _repeats(leaf: _Leaf, secret: str) -> bool:
    """Return whether a value contains a secret, too long or derived to be a coincidence."""
    return len(secret) >= (_SHORTEST if leaf.is_derived else _SURE) and (secret in leaf.text)


def check_command(cfg: DictConfig) -> None:
    """Make sure that no command contains a credential: every user of the machine can read it.

    Raises:
        ConfigError: It does.
        OmegaConfBaseException: A value cannot be resolved.
    """
    for key in ("orch.command", "orch.at_end"):
        _check_command(cfg, key)


def _check_command(cfg: DictConfig, setting: str) -> None:
    command = OmegaConf.select(cfg, setting)
    if not isinstance(command, ListConfig):
        return
    with watch_resolvers() as asked:
        parts = [str(command[key]) for key in range(len(command))]
        named = [name for name in variables_in(asked) if is_credential(name)]
        secrets = _secrets(cfg)
    shown = [f"${{oc.env:{name}}}" for name in named]
    shown += [key for key, value in secrets if any(value in part for part in parts)]
    shown += ["a password"] if any(map(has_password, parts)) else []
    if shown:
        raise ConfigError(
            f"{setting} would expose {shown[0]} in the list of processes. Let the program read it"
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
            is_long = isinstance(value, str) and len(value) >= _SHORTEST
            if is_long and looks_like_credential(path, value):
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
        if is_credential_as_key(key):
            raise ConfigError(_describe_key(path))
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
        marks, names = marks_in(names), variables_in(names)
        if names:
            hidden = _hide(here, str(node._value()) if is_derived else "", value, names)
        text = value if isinstance(value, str) else ""
        yield _Leaf(here, text, is_derived, hidden, marks)


def _describe_key(path: Path) -> str:
    """Say that a key below a path is a credential, which no reference can stand for."""
    where = f"{'.'.join(map(str, path))}: one of its keys" if path else "a key of the config"
    return (
        f"{where} is a credential, which config.yaml would show. Make it a value:"
        " only values are concealed."
    )


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


def _keys(container: Container) -> Iterable[object]:
    if isinstance(container, DictConfig):
        return container.keys()
    return range(len(cast("ListConfig", container)))
