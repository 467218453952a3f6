"""The options that say how runs are executed, and how that is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.option_types import count

if TYPE_CHECKING:
    import argparse


def add_execution_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``orch run`` that say how runs are executed."""
    _add_share_options(parser)
    order = parser.add_argument_group("order and limits")
    order.add_argument(
        "--order",
        metavar="HOW",
        help="start runs as declared, by cheap:KEY (small values first), or by round-robin:AXIS; or"
        " advance all by N iterations at a time with breadth:N (default: declared)",
    )
    order.add_argument(
        "--timeout",
        metavar="TIME",
        help="end a run that takes longer than 90s, 10m, 1h30m, ... (default: no limit)",
    )
    order.add_argument(
        "--no-progress",
        metavar="TIME",
        help="end a run that reports no progress within this time (default: no limit)",
    )
    failures = parser.add_argument_group("failures")
    failures.add_argument(
        "--retries",
        type=int,
        metavar="N",
        help="retry a run up to N times that was killed, or ran out of memory or disk (default: 0)",
    )
    failures.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    failures.add_argument(
        "--max-failures", type=int, metavar="N", help="stop at the Nth failure (default: never)"
    )
    parser.add_argument(
        "--drain",
        action="store_true",
        help="at the first Ctrl-C, let the runs being executed finish and start no more"
        " (default: ask them to stop)",
    )
    parser.add_argument(
        "--host-is-gone",
        metavar="HOST",
        help="continue what this host was executing: it is off, which cannot be seen from here",
    )
    parser.add_argument("--quiet", action="store_true", help="print only failures and the summary")


def add_halving_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how runs are compared while they are trained."""
    parser.add_argument(
        "--halving",
        metavar="METRIC:MODE:N",
        help="train only the best 1/N of the runs on from each rung, by a metric and min or max, as"
        " validation/loss:min:3; none: all of them (default: all of them)",
    )


def _add_share_options(parser: argparse.ArgumentParser) -> None:
    share = parser.add_argument_group("the machine")
    share.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="execute N runs at once (default: one per GPU, or one per CPU)",
    )
    share.add_argument(
        "--gpus", metavar="WHICH", help="use all, none, or numbers such as 0,1 (default: all)"
    )
    share.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="give each run N CPU threads (default: an equal share)",
    )


def add_control_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``orch control``."""
    parser.add_argument("--workers", type=int, metavar="N", help="execute N runs at once")
    pause = parser.add_mutually_exclusive_group()
    pause.add_argument("--pause", action="store_true", help="start no more runs until --resume")
    pause.add_argument("--resume", action="store_true", help="start runs again after --pause")
    parser.add_argument(
        "--without-gpu",
        action="append",
        type=count,
        default=[],
        metavar="NUMBER",
        help="start no more runs on this GPU; may be given several times",
    )
    parser.add_argument(
        "--with-gpu",
        action="append",
        type=count,
        default=[],
        metavar="NUMBER",
        help="start runs on this GPU again; may be given several times",
    )
    parser.add_argument(
        "--drain", action="store_true", help="start no more runs at all, as orch stop --drain"
    )


def add_stop_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``orch stop``."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--drain",
        action="store_true",
        help="let the runs being executed finish and start no more (default: ask them to stop)",
    )
    how.add_argument("--now", action="store_true", help="kill the runs (default: ask them to stop)")
