"""The page of an experiment: one HTML document that needs nothing else, made of values.

Names, values and messages come from programs and people: the template escapes all of them, and the page
forbids the browser to load anything.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from orchestrator.pictures.figure import render
from orchestrator.pictures.style import Appearance, style_of
from orchestrator.sanitize import harmless, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

ON_PAGE: Final = Appearance(transparent=True, with_notes=False)
_COLOURS: Final = 7
_NO_NUMBER: Final = frozenset(("", "-", "NaN", "Infinity", "-Infinity"))  # in a column of numbers
_TAG: Final = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class ReportCell:
    """A cell: its text, and the number that it is sorted by, if it is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table; ``numeric`` says which columns are numbers, ``states`` which one is the state, or -1."""

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[ReportCell]]
    numeric: Sequence[bool]
    states: int = -1


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Runs that failed in the same way, and the end of the log of the first."""

    kind: str
    message: str
    runs: Sequence[str]
    tail: str


@dataclass(frozen=True, slots=True)
class ReportPage:
    """What a page shows, from top to bottom; ``figure`` are the learning curves, if there are any."""

    experiment: str
    folder: str
    as_of: str
    number: int
    states: Sequence[tuple[str, int]]
    facts: Sequence[tuple[str, str]]
    axes: ReportTable
    filters: ReportTable | None
    results: ReportTable
    notes: Sequence[str]
    figure: Figure | None
    curve_notes: Sequence[str]
    failures: Sequence[FailureGroup]
    more_failures: int
    commands: Sequence[tuple[str, str]]
    config: str
    config_of: str
    runs: ReportTable

    @property
    def curves(self) -> Markup | None:
        """The learning curves as SVG whose colours follow the page."""
        return None if self.figure is None else _inline(self.figure, "; ".join(self.curve_notes))


def make_table(
    caption: str, headers: Sequence[str], rows: Sequence[Sequence[object]]
) -> ReportTable:
    """Return a table of strings and integers; None is an empty cell.

    A tuple is a cell with a text and the number that it is sorted by; only the caller knows how many digits
    a float has.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [
        any(row[at].number is not None for row in cells)
        and all(row[at].number is not None or row[at].text in _NO_NUMBER for row in cells)
        for at in range(len(headers))
    ]
    states = headers.index("state") if "state" in headers else -1
    return ReportTable(printable(caption), [*map(printable, headers)], cells, numeric, states)


def render_page(page: ReportPage) -> bytes:
    """Return the HTML of a page; the same page gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("orchestrator.pictures"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: harmless(value) if type(value) is str else value,
    )
    environment.filters["breakable"] = _breakable
    text = environment.get_template("report.html").render(page=page)
    return text.encode("utf-8", errors="replace")


def _breakable(header: str) -> Markup:
    """Return a header that may be broken after the separators of names."""
    return Markup("<wbr>").join(re.split(r"(?<=[/._])(?=.)", header))


def _cell(value: object) -> ReportCell:
    if isinstance(value, tuple):
        text, number = value
        return ReportCell(printable(text), _sortable(number))
    text = "" if value is None else printable(str(value))
    return ReportCell(text, value if type(value) is int else None)


def _sortable(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else number


def _inline(figure: Figure, told: str) -> Markup:
    """Return a figure as an SVG element, its colours replaced by the variables of the page."""
    text = render(figure, "svg", ON_PAGE).decode()
    text = text[text.index("<svg") :]
    names = {style_of(n, ON_PAGE).colour.lower(): f"var(--c{n})" for n in range(_COLOURS)}
    names |= {
        colour.lower(): f"var(--{name})"
        for name, colour in (
            ("ink", ON_PAGE.ink),
            ("faint", ON_PAGE.faint),
            ("paper", ON_PAGE.paper),
        )
    }
    known = re.compile(rf"(?<=: )({'|'.join(names)})\b")
    # Within tags only: a label may spell a colour.
    text = _TAG.sub(lambda tag: known.sub(lambda found: names[found[0]], tag[0]), text)
    label = escape(f"learning curves: {told}")
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))  # noqa: S704 # matplotlib escapes its labels
