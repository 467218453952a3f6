"""Config values: their type, and how they are looked up, compared and written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

# Keys that are not part of the identity of any run.
NEVER_IDENTITY: Final = ("results_dir", "experiment_id", "hydra", "_filters", "orch")
_MOST_DIGITS: Final = 18
_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"(?=\.|$)|[^.]*')
_FIRST_OF_JSON: Final = frozenset('-0123456789tfnNI["{ \t')
DELETED: Final = "~"  # before a key that a command deleted, where it stands beside values
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"


class Missing:
    """The value of a key that is not in a config."""


def look_up(config: Mapping[str, Value], path: str) -> Value | Missing:
    """Return the value at a dotted path (see ``keys_of``), list items by their index, or ``Missing``."""
    node: Value | Mapping[str, Value] = config
    for part in keys_of(path):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and _is_place(part, len(node)):
            node = node[int(part)]
        else:
            return _MISSING
    return node  # type: ignore[return-value] # the loop leaves a value of the config


def _is_place(part: str, length: int) -> bool:
    """Tell whether a part of a key numbers an item; Python refuses to read very many digits."""
    return part.isdecimal() and len(part) <= _MOST_DIGITS and int(part) < length


def in_path(key: str) -> str:
    """Return a key as it stands in a dotted path: in quotes if it contains a dot itself, or quotes."""
    return json.dumps(key, ensure_ascii=False) if "." in key or '"' in key else key


def keys_of(path: str) -> list[str]:
    """Return the keys of a dotted path, of which :func:`in_path` has put some in quotes."""
    if '"' not in path:
        return path.split(".")
    keys, place = [], 0
    while place <= len(path):
        part = _PART.match(path, place)[0]  # type: ignore[index] # it matches anything
        keys.append(_key_in(part))
        place += len(part) + 1
    return keys


def _key_in(part: str) -> str:
    """Return the key that a part of a dotted path stands for; a quotation mark may belong to it."""
    with suppress(ValueError):
        if part.startswith('"'):
            return str(json.loads(part))
    return part


def put_at(config: dict[str, Value], path: str, value: Value) -> None:
    """Set the value at a dotted path, creating the mappings on the way."""
    *above, last = keys_of(path)
    for part in above:
        inner = config.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = config[part] = {}
        config = inner
    config[last] = value


def is_under(path: str, keys: Iterable[str]) -> bool:
    """Return whether a dotted path is one of these keys, or lies below one."""
    return f"{path}.".startswith(tuple(f"{key}." for key in keys))


def is_known(config: Mapping[str, Value], path: str) -> bool:
    """Return whether a config has a key, whatever its value."""
    return not isinstance(look_up(config, path), Missing)


def nearest_key(config: Mapping[str, Value], path: str) -> str | None:
    """Return the most similar key of a config, as a filter names it; None if no key is similar."""
    import difflib  # noqa: PLC0415 # errors only

    found = difflib.get_close_matches(path, list(dotted_keys(config)), n=1)
    return ".".join(map(_named, keys_of(found[0]))) if found else None


def _named(key: str) -> str:
    is_plain = all(letter.isalnum() or letter in "_-/@" for letter in key)
    return key if is_plain else json.dumps(key, ensure_ascii=False)


def dotted_keys(node: object, prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all keys in nested mappings."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            path = f"{prefix}{in_path(str(key))}"
            yield path
            yield from dotted_keys(value, f"{path}.")


def same(left: object, right: object) -> bool:
    """Return whether two config values are equal; values of different types never are, but numbers."""
    if is_number(left) and is_number(right):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and left == right


def is_number(value: object) -> bool:
    """Return whether a config value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def rank_of(value: object) -> tuple[int, float, str]:
    """Return what orders values: numbers come first, by size, then strings, then the others."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, value, json.dumps(value)
    if isinstance(value, str):
        return 1, 0.0, value
    return 2, 0.0, "" if isinstance(value, Missing) else json.dumps(value)


def show(value: object) -> str:
    """Return a config value in the syntax of filters: quoted strings, ``true``, ``null``, also in lists."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f'"{value}"' if isinstance(value, str) else str(value)


def label_of(value: object) -> str:
    """Return a config value as names and tables show it: strings are quoted only where they look like others.

    A value that a config does not have is ``(absent)``, which ``null`` is not.
    """
    if isinstance(value, Missing):
        return "(absent)"
    if isinstance(value, str) and value and not _looks_like_another(value):
        return value
    return show(value)


def _looks_like_another(text: str) -> bool:
    """Return whether a string looks like a number, ``true``, ``null``, a list or a quoted string."""
    if text[0] not in _FIRST_OF_JSON:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


_MISSING = Missing()
