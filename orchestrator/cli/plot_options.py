"""The options of ``orch plot`` and ``orch report``."""

from __future__ import annotations

import argparse
import re
from typing import Final

from orchestrator.cli.results_options import add_choice_options

_SIZE: Final = r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)"
_LARGEST: Final = 100.0  # inches


def add_plot_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``orch plot`` to its parser."""
    parser.add_argument(
        "metrics",
        nargs="*",
        metavar="METRIC",
        help="draw this metric, by name or pattern, a panel per metric (default: the one that chose"
        " the best iteration, or the first one of the validation)",
    )
    _add_out(parser, "write the picture to this file, which ends in .png, .svg or .pdf")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--x", metavar="AXIS", help="draw the metric against a numeric axis, not the iteration"
    )
    kind.add_argument(
        "--heat",
        nargs=2,
        metavar=("AXIS", "AXIS"),
        help="draw the metric as a heat map, the values of the first axis from top to bottom",
    )
    kind.add_argument(
        "--parallel",
        action="store_true",
        help="draw a line per row through all its values, coloured by the metric",
    )
    add_choice_options(parser, "draw only the first N rows (default of curves and --x: 7)")
    _add_look_options(parser)


def _add_look_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--band",
        choices=("std", "range", "none"),
        default="std",
        help="what the band or bar shows: the standard deviation over runs (default), the range from"
        " the least to the greatest, or nothing",
    )
    parser.add_argument("--log-x", action="store_true", help="use a logarithmic horizontal scale")
    parser.add_argument(
        "--log-y", action="store_true", help="use a logarithmic scale for the metric"
    )
    parser.add_argument("--dark", action="store_true", help="draw for a dark page")
    parser.add_argument(
        "--transparent", action="store_true", help="leave out the background (default: opaque)"
    )
    parser.add_argument(
        "--size",
        type=_size,
        metavar="WxH",
        help="make it this wide and high, in inches, such as 3.3x2.5 (default: as its content needs)",
    )
    parser.add_argument(
        "--no-notes",
        action="store_true",
        help="leave out the notes below the picture, and only print them",
    )


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``orch report`` to its parser."""
    _add_out(parser, "write the page to this file, which ends in .html")
    add_choice_options(parser, "draw the curves of only the first N rows (default: 7)")


def _add_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", metavar="FILE", required=True, help=what)


def _size(text: str) -> tuple[float, float]:
    found = re.fullmatch(_SIZE, text)
    sides = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not all(1 <= side <= _LARGEST for side in sides):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size. Give the width and the height in inches, from 1 to 100, such"
            " as 6x4"
        )
    return sides
