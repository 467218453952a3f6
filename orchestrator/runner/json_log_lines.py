"""Log records in JSON, as structlog, loguru and others print them: the exception in a line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER: Final = "Traceback (most recent call last):"
_STACK: Final = re.compile(r"^\w[\w.]*Error: .*\n\s+at ", re.MULTILINE)
_DEEPEST: Final = 5


def exception_in(line: str) -> str | None:
    """Return the exception in a log record, as a program would print it; None if there is none."""
    if not (line.startswith("{") and line.endswith("}")):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return next(_exceptions(record, 0), None)


def _exceptions(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str) and (_HEADER in value or _STACK.search(value)):
        yield value
    if depth == _DEEPEST:
        return
    if isinstance(value, dict):
        if isinstance(name := value.get("exc_type"), str):  # structlog's dict_tracebacks
            yield f"{_HEADER}\n{name}: {value.get('exc_value', '')}"
        for each in value.values():
            yield from _exceptions(each, depth + 1)
    elif isinstance(value, list):
        for each in reversed(value):
            yield from _exceptions(each, depth + 1)
