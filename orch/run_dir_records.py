"""Reads the files of a run directory; what is missing or damaged counts as empty."""

from __future__ import annotations

import fcntl
import json
import os
import re
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RUN_ID = re.compile(r"[0-9a-f]{16}")
_SECTION = re.compile(r"^(?=[^\s#-])", re.MULTILINE)  # where a top-level key of a YAML file begins


def is_run_id(name: str) -> bool:
    """Return whether a name is a run ID."""
    return _RUN_ID.fullmatch(name) is not None


def parse_config(text: str) -> dict[str, Any]:
    """Parse a config section by section: runs of a grid have most of them in common."""
    yaml = import_module("yaml")
    try:
        sections = [_parse_section(section) for section in _SECTION.split(text) if section]
    except yaml.YAMLError:
        sections = []  # the whole may be valid nevertheless
    if not sections or not all(isinstance(section, dict) for section in sections):
        found = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return found if isinstance(found, dict) else {}
    return {key: value for section in sections for key, value in section.items()}


@lru_cache(maxsize=4096)
def _parse_section(text: str) -> Any:  # noqa: ANN401 # the caller checks it
    yaml = import_module("yaml")
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def leaves_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 # any YAML
    """Yield the scalars and empty containers in a config, with their dotted keys."""
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inner = enumerate(value)
    if not (isinstance(value, (dict, list)) and value):
        yield path, value
    for key, item in inner:
        yield from leaves_of(item, f"{path}.{key}" if path else str(key))


def read_record(path: Path) -> dict[str, Any]:
    """Return a JSON record; an empty one if it is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file with one per line; skip lines that are none."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def mapping_in(record: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the mapping at a key of a record; an empty one if it is something else."""
    found = record.get(key)
    return found if isinstance(found, dict) else {}


def numbers_of(values: dict[str, Any]) -> dict[str, float]:
    """Return the values that are numbers, or strings such as ``NaN`` that stand for one."""
    found = {}
    for key, value in values.items():
        if isinstance(value, (bool, int, float, str)) and "_" not in str(value):
            try:
                found[key] = float(value)
            except (ValueError, OverflowError):
                continue
    return found


def is_locked(path: Path) -> bool:
    """Return whether a process of an attempt lives, as ``orch status`` finds out."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
