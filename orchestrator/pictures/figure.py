"""The frame of every picture: panels, the legend beside them, the notes below, and the file's bytes."""

from __future__ import annotations

import io
import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from orchestrator.errors import UsageError
from orchestrator.pictures.axis_labels import SHORTEST, fit_labels, label_short_scale
from orchestrator.pictures.style import settings_of
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.legend import Legend
    from matplotlib.transforms import Bbox

    from orchestrator.grid.config_values import Value
    from orchestrator.pictures.style import Appearance

FORMATS: Final = ("png", "svg", "pdf")
_PANEL: Final = (4.6, 3.3)  # inches
COLUMNS: Final = 2
_NOTE: Final = 0.15
_GAP: Final = 0.05  # inches between what stands below the panels
_LOWEST: Final = 0.45  # inches, of a panel in which anything can be seen
_NO_ROOM: Final = (
    "--size: the labels leave no room for the picture. Make it larger, or draw fewer rows (--top) or"
    " metrics, or leave out the notes (--no-notes)."
)
_LEAST: Final = 0.01  # of the height, for the panels; the layout then tells that there is no room
_PER_COLUMN: Final = 40  # entries of a legend
_NOTE_WIDTH: Final = 14.5  # characters per inch of a note
_WITHOUT_DATES: Final = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
}


@dataclass(frozen=True, slots=True)
class Caption:
    """What is told beside a picture: notes below it, and what the legend says of rows not drawn.

    ``others`` are the values of these rows on their axes, from which labels tell the drawn ones.
    """

    notes: Sequence[str] = ()
    more: str = ""
    others: Sequence[Mapping[str, Value]] = ()


@contextmanager
def drawing(look: Appearance) -> Iterator[None]:
    """Draw within the block with the settings of a look, whatever a ``matplotlibrc`` says."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(cast("Any", settings_of(look)))  # its stubs list all names
        # Characters that the font lacks are told by missing_characters, once.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def new_panels(count: int, look: Appearance, *, scale: float = 1.0) -> tuple[Figure, list[Axes]]:
    """Return a figure with some panels: at most two in a row, or as many as fit into a given size best."""
    columns = min(count, COLUMNS) if look.size is None else _columns_within(look.size, count)
    rows = math.ceil(count / columns)
    width, height = _PANEL[0] * scale, _PANEL[1] * scale
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for panel in panels[count:]:
        panel.remove()
    for panel in panels[:count]:
        panel.grid(visible=True)
        panel.set_axisbelow(True)
    if look.size is not None:
        figure.set_size_inches(look.size)
    return figure, panels[:count]


def _columns_within(size: tuple[float, float], count: int) -> int:
    """Return the number of columns with which panels have a shape nearest to the usual one."""
    shapes = {
        columns: size[0] / columns * math.ceil(count / columns) / size[1]
        for columns in range(1, count + 1)
    }
    return min(shapes, key=lambda it: abs(math.log(shapes[it] * _PANEL[1] / _PANEL[0])))


def add_legend(
    figure: Figure, entries: Sequence[tuple[object, str]], more: str, look: Appearance
) -> None:
    """Add a legend beside the panels, which covers no data.

    It is right of them and the figure grows for it, but below them if the figure has a given size.

    Args:
        figure: The figure.
        entries: What is drawn, with its label.
        more: A last line without a line of its own, such as ``and 22 more rows``; may be empty.
        look: The look.
    """
    handles = [handle for handle, _ in entries]
    labels = [label for _, label in entries]
    if more:
        handles.append(Line2D([], [], linestyle="none"))
        labels.append(more)
    if look.size is None:
        legend = _new_legend(figure, handles, labels, math.ceil(len(labels) / _PER_COLUMN))
        box = _extent(legend, figure)
        width, height = figure.get_size_inches()
        needed = box.height / figure.dpi + 0.3
        figure.set_size_inches(width + box.width / figure.dpi, max(height, needed))
        return
    legend = _new_legend(figure, handles, labels, 1, "outside lower left")
    columns = min(len(labels), int(figure.bbox.width / _extent(legend, figure).width))
    if columns > 1:
        legend.remove()
        _new_legend(figure, handles, labels, columns, "outside lower left")


def _new_legend(
    figure: Figure,
    handles: Sequence[object],
    labels: Sequence[str],
    columns: int,
    place: Literal["outside right upper", "outside lower left"] = "outside right upper",
) -> Legend:
    numbers = [str(number) for number in range(len(labels))]
    legend = figure.legend(cast("list[Artist]", handles), numbers, loc=place, ncols=columns)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        # Set afterwards: labels that begin with "_" are left out of legends.
        text.set_parse_math(False)
        text.set_text(printable(label))
    return legend


def _extent(artist: Artist, figure: Figure) -> Bbox:
    return artist.get_window_extent(FigureCanvasAgg(figure).get_renderer())  # type: ignore[no-untyped-call] # matplotlib's


def add_notes(figure: Figure, notes: Sequence[str], look: Appearance) -> None:
    """Add lines below the panels that say what the picture shows, and what it does not."""
    if not notes or not look.with_notes:
        return
    width, height = figure.get_size_inches()
    lines = [line for note in notes for line in _wrap(note, int(width * _NOTE_WIDTH / look.scale))]
    text = figure.supxlabel(
        "\n".join(lines), x=0.01, ha="left", fontsize=7.5 * look.scale, color=look.faint
    )
    text.set_parse_math(False)
    if look.size is None:
        figure.set_size_inches(width, height + _NOTE * len(lines))
    elif figure.legends:
        _put_above(figure.legends[0], text, figure)


def _put_above(legend: Legend, notes: Text, figure: Figure) -> None:
    """Put a legend above the notes and the panels above both: the layout makes room for the higher of them only."""
    gap = _GAP * figure.dpi
    above_notes = gap + _extent(notes, figure).height + gap
    above_legend = above_notes + _extent(legend, figure).height + gap
    height = figure.bbox.height
    notes.set(y=gap / height, verticalalignment="bottom", in_layout=False)
    legend.set_bbox_to_anchor((0, above_notes / height), transform=figure.transFigure)
    low = min(above_legend / height, 1 - _LEAST)
    cast("ConstrainedLayoutEngine", figure.get_layout_engine()).set(rect=(0, low, 1, 1 - low))


def render(figure: Figure, form: str, look: Appearance) -> bytes:
    """Return the content of a file in one of the formats; the same figure gives the same bytes.

    Raises:
        UsageError: The size is too small for the labels.
    """
    content = io.BytesIO()
    with drawing(look):
        warnings.filterwarnings("error", message="constrained_layout not applied")
        try:
            if look.size is None:
                fit_labels(figure)
            else:
                fit_labels(figure, SHORTEST)
            figure.savefig(content, format=form, metadata=_WITHOUT_DATES[form])
        except UserWarning:
            raise UsageError(_NO_ROOM) from None
    sides = [figure.get_size_inches() * panel.get_position().size for panel in figure.axes]
    if look.size is not None and any(height < _LOWEST for _, height in sides):
        raise UsageError(_NO_ROOM)
    return content.getvalue()


def scale_as_asked(panel: Axes, look: Appearance) -> None:
    """Make the scales of a panel logarithmic where the look says so."""
    for is_log, axis, scale in (
        (look.log_x, panel.xaxis, panel.set_xscale),
        (look.log_y, panel.yaxis, panel.set_yscale),
    ):
        if not is_log:
            continue
        scale("log", nonpositive="clip")
        label_short_scale(axis)


def missing_characters(figure: Figure) -> str:
    """Return the characters in a figure that the font does not have, each once."""
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415 # reads the font

    known = get_font(findfont("DejaVu Sans")).get_charmap()
    found = {
        character
        for text in figure.findobj(Text)
        for character in text.get_text()
        if character != "\n" and ord(character) not in known
    }
    return "".join(sorted(found))


def _wrap(text: str, width: int) -> list[str]:
    import textwrap  # noqa: PLC0415 # only for notes

    return textwrap.wrap(printable(text), width) or [""]
