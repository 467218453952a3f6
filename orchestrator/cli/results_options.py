"""The options of ``orch results``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.option_types import positive

if TYPE_CHECKING:
    import argparse


def add_results_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``orch results`` to its parser."""
    add_choice_options(parser, "print only the first N rows")
    parser.add_argument(
        "--columns",
        metavar="METRICS",
        help="print only these metrics, such as test/accuracy or 'validation/*,lr'",
    )
    parser.add_argument(
        "--difference",
        action="store_true",
        help="print the paired difference of each row to the best one, with a confidence interval",
    )
    parser.add_argument("--csv", action="store_true", help="print CSV, for spreadsheets")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--latex", action="store_true", help="print a LaTeX table (booktabs)")


def add_choice_options(parser: argparse.ArgumentParser, top: str) -> None:
    """Add the options that choose and group the runs; ``top`` is the help of ``--top``."""
    parser.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="AXIS",
        help="average over this axis (default: seed); may be given several times",
    )
    parser.add_argument(
        "--sort",
        metavar="METRIC",
        help="sort by this metric (default: the one that chose the best iteration, or the first one"
        " of the validation)",
    )
    parser.add_argument("--top", type=positive, metavar="N", help=top)
    parser.add_argument("--runs", action="store_true", help="list single runs, and average nothing")
    parser.add_argument(
        "--at",
        metavar="ITERATION",
        help="compare at this iteration, unfinished runs as well; common: the last one that all"
        " runs have reached",
    )
    parser.add_argument(
        "--where",
        "--only",
        dest="only",
        metavar="EXPR",
        help="compare only the runs for which this comparison holds",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="compare all runs of the experiment (default: those of the grid)",
    )


def words_of_choice(options: argparse.Namespace) -> list[str]:
    """Return the options that choose and group the runs as they are typed, those that were given."""
    words = [word for axis in options.over for word in ("--over", axis)]
    for name, value in (
        ("--sort", options.sort),
        ("--top", options.top),
        ("--at", options.at),
        ("--where", options.only),
    ):
        words += [] if value is None else [name, str(value)]
    words += ["--runs"] if options.runs else []
    return [*words, "--all"] if options.all else words
