"""The options of each command, but for those of ``orch results``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.cli.execution_options import (
    add_control_options,
    add_execution_options,
    add_halving_option,
    add_stop_options,
)
from orchestrator.cli.option_types import count, port
from orchestrator.cli.plot_options import add_plot_options, add_report_options
from orchestrator.cli.results_options import add_results_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping


_STATES: Final = ("pending", "running", "running?", "stale", "failed", "done")


def _add_only_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only", metavar="EXPR", help="select only the runs for which this comparison holds"
    )


def _add_state_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        choices=_STATES,
        help="list only the runs in this state; may be given several times",
    )


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    _add_only_option(parser)
    parser.add_argument(
        "--all", action="store_true", help="list every run (default: only if there are at most 40)"
    )
    _add_state_option(parser)
    parser.add_argument(
        "--excluded", action="store_true", help="list the points that filters dropped"
    )
    parser.add_argument(
        "--reasons", action="store_true", help="count the runs with each action and reason"
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="forecast for N runs at once (default: one per GPU, or one per CPU)",
    )
    parser.add_argument(
        "--gpus", metavar="WHICH", help="forecast for all, none, or 0,1 and so on (default: all)"
    )
    add_halving_option(parser)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    _add_only_option(parser)
    parser.add_argument(
        "--prepare",
        action="store_true",
        help="only create the run directories, for orch work on other machines",
    )
    parser.add_argument(
        "--rerun-changed", action="store_true", help="execute again what other code has made"
    )
    _add_cluster_options(parser)
    add_halving_option(parser)
    add_execution_options(parser)


def _add_cluster_options(parser: argparse.ArgumentParser) -> None:
    cluster = parser.add_argument_group("a cluster, with orch.slurm")
    presence = cluster.add_mutually_exclusive_group()
    presence.add_argument(
        "--detach", action="store_true", help="exit once the pilots are submitted"
    )
    presence.add_argument(
        "--wait",
        dest="detach",
        action="store_false",
        help="watch and replace pilots until every run has ended (default)",
    )
    cluster.add_argument(
        "--max-gpu-hours",
        type=float,
        metavar="N",
        help="start nothing if the runs are forecast to take more GPU-hours (default: no limit)",
    )


def _add_work_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="FOLDER", help="the experiment's folder, as orch run --prepare prints it"
    )
    parser.add_argument(
        "--runs", type=count, metavar="N", help="start at most N runs (default: until none is open)"
    )
    parser.add_argument(
        "--time",
        metavar="TIME",
        help="end within 90s, 10m, 1h30m, ..., after a checkpoint of each run"
        " (default: as long as the job of the cluster that this runs in)",
    )
    add_execution_options(parser)


def _add_rerun_options(parser: argparse.ArgumentParser) -> None:
    _add_run_choice(parser)
    _add_cluster_options(parser)
    add_execution_options(parser)


def _add_rm_options(parser: argparse.ArgumentParser) -> None:
    _add_run_choice(parser)
    _add_yes_option(parser)


def _add_run_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="name the runs by their IDs, or the starts of them; none with --where",
    )
    parser.add_argument(
        "--where", metavar="EXPR", help="choose the runs for which this comparison holds"
    )


def _add_yes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--yes", action="store_true", help="remove them permanently (default: only show them)"
    )


def _add_status_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all",
        action="store_true",
        help="list every run, also those that the grid does not name (default: those of the grid;"
        " of more than 40, those neither done nor pending)",
    )
    _add_state_option(parser)
    parser.add_argument(
        "--where", metavar="EXPR", help="list only the runs for which this comparison holds"
    )
    parser.add_argument("--sort", metavar="METRIC", help="sort by this metric, the best first")
    parser.add_argument("--top", type=count, metavar="N", help="list only the first N runs")
    add_halving_option(parser)
    parser.add_argument(
        "--watch", action="store_true", help="repeat the table while a process executes the runs"
    )
    parser.add_argument(
        "--halt-on",
        action="append",
        default=[],
        choices=_STATES,
        help="exit with code 4 if a run is in this state, with --watch as soon as one is; may be"
        " given several times",
    )


def _add_show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name the run by its ID, or the start of it")


def _add_diff_options(parser: argparse.ArgumentParser) -> None:
    _add_show_options(parser)
    parser.add_argument("other", metavar="RUN", help="name the run to compare it with")


def _add_note_options(parser: argparse.ArgumentParser) -> None:
    _add_show_options(parser)
    parser.add_argument(
        "text", nargs="?", metavar="TEXT", help="note this text, in quotes (default: show the note)"
    )
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="add this tag; may be given several times",
    )
    parser.add_argument(
        "--untag",
        action="append",
        default=[],
        metavar="NAME",
        help="remove this tag; may be given several times",
    )
    parser.add_argument("--remove", action="store_true", help="remove the text")


def _add_logs_options(parser: argparse.ArgumentParser) -> None:
    _add_show_options(parser)
    parser.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help="keep printing, from attempt to attempt, while a process executes the run",
    )
    parser.add_argument(
        "--attempt",
        type=int,
        metavar="N",
        help="print the log of attempt N (default: the last one)",
    )
    parser.add_argument(
        "--tail", type=count, metavar="N", help="print only the last N lines (default: all)"
    )


def _add_prune_options(parser: argparse.ArgumentParser) -> None:
    _add_yes_option(parser)
    parser.add_argument(
        "--without-grid",
        action="store_true",
        help="remove finished runs even if the command names no grid",
    )
    parser.set_defaults(only=None)


def _add_init_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="write it into this new or empty folder")
    parser.add_argument(
        "--app",
        dest="plain",
        action="store_true",
        help="write a script of your own with @hydra.main (default: modules for the trainer)",
    )


def _add_completion_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell",
        choices=["bash", "zsh", "fish"],
        metavar="SHELL",
        help="print it for bash, zsh or fish",
    )


def _add_ui_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=port, default=5000, help="serve the page on this port (default: 5000)"
    )


OPTIONS: Final[Mapping[str, Callable[[argparse.ArgumentParser], None]]] = {
    "plan": _add_plan_options,
    "run": _add_run_options,
    "work": _add_work_options,
    "stop": add_stop_options,
    "control": add_control_options,
    "status": _add_status_options,
    "show": _add_show_options,
    "logs": _add_logs_options,
    "note": _add_note_options,
    "diff": _add_diff_options,
    "results": add_results_options,
    "plot": add_plot_options,
    "report": add_report_options,
    "rerun": _add_rerun_options,
    "rm": _add_rm_options,
    "prune": _add_prune_options,
    "init": _add_init_options,
    "completion": _add_completion_options,
    "ui": _add_ui_options,
}
