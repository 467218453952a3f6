"""The arguments of ``orch``: the commands, their options, and the parser that reads them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final, NoReturn

from orchestrator.cli.option_types import count
from orchestrator.cli.results_options import add_results_options
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONFIG_DIR: Final = "conf"
CONFIG_NAME: Final = "config"
COMMANDS: Final[Mapping[str, str]] = {
    "plan": "show what run would do and why, and what each filter dropped",
    "run": "execute the plan; the same command again resumes it",
    "status": "show the state, progress and metrics of an experiment's runs",
    "show": "show the details of one run, and the command that continues it",
    "logs": "print the output of a run's last attempt, with --follow while it is written",
    "diff": "show the keys in which two runs differ",
    "results": "compare metrics by axis, mean and standard deviation over seeds, the best first",
    "rerun": "execute runs again from nothing; their earlier results are kept until that is done",
    "rm": "show, and with --yes remove, the run directories of single runs",
    "prune": "show, and with --yes remove, run directories that the grid no longer names",
    "sync": "send to MLflow what has not arrived yet",
    "ui": "serve MLflow's page for the experiment's store, on this machine only",
}
_EPILOG: Final = """\
Overrides follow Hydra's grammar, sweeps included:
  orch plan training=grid_search
  orch run training=grid_search optimizer.lr=0.01,0.1 --workers 2
  orch status

exit codes: 0 everything is done, 1 a run failed, 2 the command, config or filter is wrong,
3 runs are left, 130 interrupted
"""


class _ArgumentParser(argparse.ArgumentParser):
    """Raises usage errors as ``UsageError`` instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See {self.prog} --help.")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command line; overrides and options may stand in any order.

    Raises:
        UsageError: There is no such command or option.
    """
    parser = _ArgumentParser(
        prog="orch",
        description="Run a grid of PyTorch trainings on this machine, and resume it after any interruption.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_config_options(parser, None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        # parse_intermixed_args knows no subcommands, so what follows the name is parsed below.
        commands.add_parser(name, help=purpose, add_help=False, allow_abbrev=False)
    options, rest = parser.parse_known_args(arguments)
    options = command_parser(options.command).parse_intermixed_args(rest, options)
    if not options.app:  # which has a config folder and a primary config itself
        options.config_dir = options.config_dir or CONFIG_DIR
        options.config_name = options.config_name or CONFIG_NAME
    return options


def command_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of what follows the name of a command."""
    parser = _ArgumentParser(
        prog=f"orch {command}", description=f"{COMMANDS[command]}.", allow_abbrev=False
    )
    # Accepted after the command as well; if not given there, those before the command hold.
    _add_config_options(parser, argparse.SUPPRESS)
    if command != "ui":
        parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    if command in _OPTIONS:
        _OPTIONS[command](parser)
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="OVERRIDE",
        help="set a value or sweep over several, as key=value; Hydra's grammar",
    )
    return parser


def _add_only_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only", metavar="EXPR", help="select only the runs for which this comparison holds"
    )


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    _add_only_option(parser)
    parser.add_argument(
        "--all", action="store_true", help="list every run (default: only if there are at most 40)"
    )
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        choices=["pending", "running", "stale", "failed", "done"],
        help="list only the runs in this state; may be given several times",
    )
    parser.add_argument(
        "--excluded", action="store_true", help="list the points that filters dropped"
    )
    parser.add_argument(
        "--reasons", action="store_true", help="count the runs with each action and reason"
    )


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    _add_only_option(parser)
    _add_execution_options(parser)


def _add_execution_options(parser: argparse.ArgumentParser) -> None:
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
    order = parser.add_argument_group("order and limits")
    order.add_argument(
        "--order",
        metavar="HOW",
        help="start runs as declared, by cheap:KEY (small values first), or by round-robin:AXIS"
        " (default: declared)",
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
    parser.add_argument("--quiet", action="store_true", help="print only failures and the summary")


def _add_rerun_options(parser: argparse.ArgumentParser) -> None:
    _add_run_choice(parser)
    _add_execution_options(parser)


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
        help="list every run (default: of more than 40, those neither done nor pending)",
    )
    parser.add_argument(
        "--watch", action="store_true", help="repeat the table while a process executes the runs"
    )


def _add_show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name the run by its ID, or the start of it")


def _add_diff_options(parser: argparse.ArgumentParser) -> None:
    _add_show_options(parser)
    parser.add_argument("other", metavar="RUN", help="name the run to compare it with")


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


def _add_ui_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=int, default=5000, help="serve the page on this port (default: 5000)"
    )


_OPTIONS: Final[Mapping[str, Callable[[argparse.ArgumentParser], None]]] = {
    "plan": _add_plan_options,
    "run": _add_run_options,
    "status": _add_status_options,
    "show": _add_show_options,
    "logs": _add_logs_options,
    "diff": _add_diff_options,
    "results": add_results_options,
    "rerun": _add_rerun_options,
    "rm": _add_rm_options,
    "prune": _add_prune_options,
    "ui": _add_ui_options,
}


def _add_config_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--app",
        default=default,
        metavar="PROGRAM",
        help="run this Hydra app, train.py or package.module, with its own config",
    )
    parser.add_argument(
        "--config-dir",
        default=default,
        metavar="DIR",
        help="read this config folder (default: conf, or that of the app)",
    )
    parser.add_argument(
        "--config-name",
        default=default,
        metavar="NAME",
        help="compose this primary config (default: config, or that of the app)",
    )
