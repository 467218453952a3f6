"""Reads the files of a run directory; what is missing or damaged counts as empty."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import sys
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_RUN_ID = re.compile(r"[0-9a-f]{16}")
_KEY_FIRST = re.compile(rb'\s*\{\s*"key"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")')
_LARGEST_RECORD = 1_000_000  # bytes, as orch reads them
_LARGEST = 1 << 33
_DEEPEST = 100  # levels of a config
# An alias, which may expand to any size and which the config of a run never has, or a deep indentation.
_SUSPECT = re.compile(rf"(?:^|[\s\[{{,:?-])\*\S|^[\s:?-]{{{_DEEPEST}}}", re.MULTILINE)
# What PyYAML raises besides its own errors, for a value that does not fit its tag, such as !!bool x.
_OF_TAGS = (ValueError, AttributeError, LookupError, TypeError)
_SECTION = re.compile(r"^(?=[^\s#-])", re.MULTILINE)  # where a top-level key of a YAML file begins


def is_run_id(name: str) -> bool:
    """Return whether a name is a run ID."""
    return _RUN_ID.fullmatch(name) is not None


def parse_config(content: bytes) -> dict[str, Any] | None:
    """Parse a config section by section: runs of a grid have most of them in common.

    None: it is not YAML, or not a mapping, or has aliases or too many levels.
    """
    yaml = import_module("yaml")
    try:
        text = content.decode()
        if _SUSPECT.search(text) or sum(map(text.count, "[{")) > _DEEPEST:
            _check_events(text)
        sections = [_parse_section(section) for section in _SECTION.split(text) if section]
        if all(isinstance(section, dict) for section in sections):
            return {key: value for section in sections for key, value in section.items()}
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        pass  # the whole may be valid nevertheless
    except _OF_TAGS:
        return None
    try:
        found = yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, *_OF_TAGS):
        return None
    return found if isinstance(found, dict) else None


def _check_events(text: str) -> None:
    """Look for aliases and levels while a text is parsed: constructing it first may exhaust the memory.

    Raises:
        ValueError: It has an alias, or too many levels.
    """
    yaml = import_module("yaml")
    depth = 0
    for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
            raise ValueError("it has an alias, or too many levels")


@lru_cache(maxsize=4096)
def _parse_section(text: str) -> Any:  # noqa: ANN401 # the caller checks it
    yaml = import_module("yaml")
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def leaves_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 # any YAML
    """Yield the scalars and empty containers in a config, with their dotted keys.

    A key that contains a dot itself is in quotes, as in the tables of ``orch``.
    """
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inner = enumerate(value)
    if not (isinstance(value, (dict, list)) and value):
        yield path, value
    for key, item in inner:
        name = f'"{key}"' if "." in str(key) else str(key)
        yield from leaves_of(item, f"{path}.{name}" if path else name)


def label_of(value: Any) -> str:  # noqa: ANN401 # any YAML
    """Return a value as names of runs show it: a string is quoted only where it looks like another value."""
    if isinstance(value, str) and value:
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            return value
    return json.dumps(value, ensure_ascii=False, default=str)


def read_record(path: Path) -> dict[str, Any]:
    """Return a JSON record; an empty one if it is missing or damaged."""
    try:
        found = json.loads(read_file(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_state(path: Path) -> str | None:
    """Return the state in ``status.json``: None if it is missing, empty if it is damaged."""
    found = read_record(path).get("state")
    if isinstance(found, str):
        return found
    return "" if path.exists() else None


def read_file(path: Path, largest: int = _LARGEST_RECORD) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: It cannot be read, it is too large, or it is a link, a pipe or a folder.
    """
    with open(os.open(path, _PLAIN), "rb") as file:  # noqa: PTH123 # the descriptor is meant
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        if found.st_size > largest:
            raise OSError(errno.EFBIG, "it is too large", str(path))
        return file.read()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file with one per line, without the lines that are none."""
    try:
        lines = read_file(path, _LARGEST).splitlines()
    except OSError:
        return []
    found = _parse_together(lines) or [_parse(line) for line in lines]
    return [each for each in found if isinstance(each, dict)]


def _parse_together(lines: list[bytes]) -> list[Any]:
    """Parse lines at once, which takes half the time, if all are records; nothing otherwise.

    Where no record has a list, and each line begins one, joined lines have as many records as lines
    only if each of them is a record.
    """
    joined = b",".join(lines)
    if b"[" in joined or not all(line.startswith(b"{") for line in lines):
        return []
    found: list[Any] = _parse(b"[%b]" % joined) or []
    return found if len(found) == len(lines) else []


def _parse(line: bytes) -> Any:  # noqa: ANN401 # any JSON
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def read_last_values(path: Path, known: Iterable[str] = ()) -> dict[str, float]:
    """Return the last number of each metric in ``metrics.jsonl``, without those that are ``known``.

    Of a metric, only as many lines are parsed as it takes from the end to find a number.
    """
    try:
        lines = read_file(path, _LARGEST).splitlines()
    except OSError:
        return {}
    # The lines of known metrics, as nearly everybody writes them; of the others it is only slower.
    skipped = tuple(f'{{"key": {json.dumps(name)}, '.encode() for name in known)
    lines = [line for line in lines if not line.startswith(skipped)]
    names = [begins[1] if (begins := _KEY_FIRST.match(line)) else line for line in lines]
    found: dict[bytes, tuple[int, str, float] | None] = dict.fromkeys(names)
    for at in range(len(lines) - 1, -1, -1):
        record = _parse(lines[at]) if found[names[at]] is None else None
        if isinstance(record, dict) and (point := as_point(record)):
            found[names[at]] = at, point[0], point[2]
    points = [each for each in found.values() if each]
    last = {key: value for _, key, value in sorted(points)}
    return {key: last[key] for _, key, _ in points if key not in known}


def read_last_step(path: Path) -> int | None:
    """Return the step of the last point in ``metrics.jsonl``; that of a mere count if there are no others."""
    counted = None
    try:
        lines = read_file(path, _LARGEST).splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        record = _parse(line)
        if isinstance(record, dict) and (point := as_point(record)):
            if not record.get("counted"):
                return point[1]
            counted = point[1] if counted is None else counted
    return counted


def as_point(record: dict[str, Any]) -> tuple[str, int, float, Any] | None:
    """Return key, step, value and timestamp of a record of ``metrics.jsonl``; None if it is not one."""
    key, step, value = record.get("key"), record.get("step"), record.get("value")
    number = value if type(value) is float else _as_number(value)
    if not (isinstance(key, str) and isinstance(step, int)) or number is None:
        return None
    return sys.intern(_as_text(key)), step, number, record.get("timestamp")


def metrics_in(record: dict[str, Any], key: str = "metrics") -> dict[str, Any]:
    """Return the numbers and strings in the mapping at a key of a record."""
    found = record.get(key)
    if not isinstance(found, dict):
        return {}
    return {
        _as_text(key): _as_text(value) if isinstance(value, str) else value
        for key, value in found.items()
        if isinstance(value, (int, float, str))
    }


def _as_text(text: str) -> str:
    """Return a string of JSON without halves of surrogate pairs, which nothing else can hold."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def numbers_of(values: dict[str, Any]) -> dict[str, float]:
    """Return the values that are numbers, or strings such as ``NaN`` that stand for one."""
    read = ((key, _as_number(value)) for key, value in values.items())
    return {key: number for key, number in read if number is not None}


def _as_number(value: object) -> float | None:
    if not isinstance(value, (bool, int, float, str)) or "_" in str(value):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def is_locked(path: Path) -> bool:
    """Return whether a process of an attempt lives, as ``orch status`` finds out."""
    try:
        descriptor = os.open(path, _PLAIN)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
