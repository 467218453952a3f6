"""The labels of rows in pictures: only what differs, and no longer than a reader takes in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from orchestrator.grid.config_values import Missing, label_of, show
from orchestrator.grid.short_keys import short_keys
from orchestrator.rundir.state import State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.planning.results_table import Row

LONGEST: Final = 44
_SHORTEST: Final = 12
_SHORTEST_PART: Final = 6
_NUMBER: Final = 11  # the characters of a rounded number, such as -1.2345e-07


def texts_of(values: Sequence[Value | Missing]) -> list[str]:
    """Return values as a picture shows them: rounded, but equal only if they are."""
    rounded = [_text(value) for value in values]
    exact = [label_of(value) if isinstance(value, Missing) else show(value) for value in values]
    if len(set(rounded)) == len(set(exact)):
        return rounded
    return list(map(printable, exact))


def labels_of(
    choices: Sequence[Mapping[str, Value]], *, longest: int = LONGEST, alone: str = "all runs"
) -> list[str]:
    """Return a label for each row, by the values on the axes in which the rows differ.

    In labels that are too long, the longest keys and values are shortened in the middle; then the labels
    are. No two labels become equal.

    Args:
        choices: The values of each row on its axes.
        longest: The most characters.
        alone: The label if the rows differ in nothing.
    """
    keys = varying_keys(choices)
    names = short_keys(keys)
    columns = {key: texts_of([each.get(key) for each in choices]) for key in keys}
    most = _longest_part(list(names.values()), list(columns.values()), longest)
    whole = [
        "  ".join(
            f"{shorten(printable(names[key]), most)}={shorten(columns[key][place], max(most, _NUMBER))}"
            for key in keys
            if key in values
        )
        or (alone if not keys else "-")
        for place, values in enumerate(choices)
    ]
    return _distinct([shorten(label, longest) for label in whole], longest)


def _longest_part(keys: Sequence[str], columns: Sequence[Sequence[str]], longest: int) -> int:
    """Return how long a key or a value may be in labels of at most this length."""
    widest = [*map(len, keys), *(max(map(len, column)) for column in columns)]
    gaps = (1 + 2) * len(keys)
    for most in range(longest, _SHORTEST_PART, -1):
        if gaps + sum(min(most, each) for each in widest) <= longest:
            return most
    return _SHORTEST_PART


def varying_keys(choices: Sequence[Mapping[str, Value]]) -> list[str]:
    """Return the keys that do not have the same value everywhere, in order of first occurrence."""
    keys = dict.fromkeys(key for values in choices for key in values)
    return [
        key
        for key in keys
        if len({show(values[key]) if key in values else None for values in choices}) > 1
    ]


def common_values(choices: Sequence[Mapping[str, Value]]) -> str:
    """Return the values that all rows have in common, as ``key=value``."""
    keys = dict.fromkeys(key for values in choices for key in values)
    varying = varying_keys(choices)
    return "  ".join(
        f"{printable(key)}={_text(choices[0][key])}" for key in keys if key not in varying
    )


def shorten(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters, with an ellipsis in its middle if it is cut."""
    if len(text) <= longest:
        return text
    end = max(1, (longest - 1) // 2)
    return f"{text[: longest - 1 - end]}…{text[-end:]}"


def count_label(row: Row, drawn: int) -> str:
    """Return the number of runs behind a line, and the states of the others."""
    states = ", ".join(
        f"{count} {word}" for word, count in row.words.items() if word != State.DONE.value
    )
    if drawn == row.runs:
        return f"{drawn} run{'' if drawn == 1 else 's'}" + (f", {states}" if states else "")
    return f"{drawn} of {row.runs} runs" + (f", {states}" if states else "")


def words_of(row: Row) -> str:
    """Return the states of a row's runs that are not done; empty if all are."""
    return ", ".join(word for word in row.words if word != State.DONE.value)


def _text(value: Value | Missing) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(label_of(value))


def _distinct(labels: list[str], longest: int) -> list[str]:
    """Number the labels that became equal when they were shortened."""
    counts = Counter(labels)
    seen: Counter[str] = Counter()
    for place, label in enumerate(labels):
        if counts[label] > 1:
            seen[label] += 1
            labels[place] = f"{shorten(label, max(_SHORTEST, longest - 6))} ({seen[label]})"
    return labels
