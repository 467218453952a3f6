"""Whether a program has continued after an error that it printed, by what it printed then.

The message of an exception may have any number of lines, as those of compilers, of web servers, or the stacks
of C++. A program that continues prints progress or log records, or lines like those before the error.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_OFTEN: Final = 3  # lines in one form; a message may mention an iteration, or quote a record
_BEFORE: Final = 200  # lines that are compared
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?|\b(?:nan|inf)\b")
_RECORD = re.compile(
    r"\W*\d{4}-\d\d-\d\d[ T]\d\d:\d\d|\W*\d\d:\d\d:\d\d\b|\W*(?:DEBUG|INFO|WARNING)\b"
)
_PROGRESS = re.compile(
    r"\b(?:epochs?|steps?|iter(?:ation)?s?|batch(?:es)?|rounds?|episodes?|trials?|folds?|loss|acc(?:uracy)?)"
    r"\b[\s:=#\[(]*-?0|\[0, +0\]|0%\|",
    re.IGNORECASE,
)


def has_continued(before: Sequence[str], after: Sequence[str]) -> bool:
    """Return whether the lines after an error are those of a program that goes on, not of its message."""
    earlier = {_form(line) for line in before[-_BEFORE:]}
    forms = Counter(
        "record" if _RECORD.match(line) else form
        for line in after
        if _RECORD.match(line) or (form := _form(line)) in earlier or _PROGRESS.search(form)
    )
    forms.pop("", None)
    return max(forms.values(), default=0) >= _OFTEN


def _form(line: str) -> str:
    """Return a line without what differs in each iteration; nothing if it says nothing."""
    return _NUMBER.sub("0", line).strip() if any(map(str.isalpha, line)) else ""
