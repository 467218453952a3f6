"""The command line: reads the arguments, calls the command, turns errors into one line.

Commands are imported only when they are called: ``orch --help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import sys
from importlib import import_module
from typing import IO, TYPE_CHECKING, Final, NoReturn, cast

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import FilterError, OrchestratorError, PreloadError, UsageError
from orchestrator.sanitize import HarmlessStream, harmless, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console

_STDERR: Final = 2
_GARBAGE: Final = 100_000  # new objects before anything is looked through
COMMANDS: Final[Mapping[str, str]] = {
    "plan": "show what run would do and why, and what each filter dropped",
    "run": "do it; the same command again continues where things stood",
    "status": "show the state, progress and metrics of an experiment's runs",
    "show": "show all that is known of one run, and the command that continues it",
    "logs": "print the output of a run's last attempt; --follow to its end",
    "diff": "show in what two runs differ",
    "results": "compare metrics by axis, mean and deviation over seeds, the best first",
    "prune": "show, and with --yes remove, run directories that the grid no longer names",
    "sync": "send to MLflow what has not arrived yet",
    "ui": "open MLflow's page on the experiment's store, on this machine only",
}
_EPILOG: Final = """\
Overrides follow Hydra's grammar, sweeps included:
  orch plan training=grid_search
  orch run training=grid_search optimizer.lr=0.01,0.1 --workers 2
  orch status

exit codes: 0 all is done, 1 a run failed, 2 command, config or filter is wrong,
3 runs were left over, 130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    """Reports what is wrong as our errors are reported, in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See {self.prog} --help.")


def main() -> None:
    """Run ``orch`` and end the process with its exit code."""
    # What is imported and planned lives to the end: looking through it for garbage again and again,
    # and once more on the way out, would take a fifth of the time of a small plan.
    gc.set_threshold(_GARBAGE)
    _occupy_standard_descriptors()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever called us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stderr.isatty():
        sys.stderr = cast("IO[str]", HarmlessStream(sys.stderr))
    try:
        sys.exit(call(sys.argv[1:]))
    except OrchestratorError as error:
        _complain(error)
        sys.exit(ExitCode.WRONG)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Who read our output has gone (orch plan | head); there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # the machine refuses something that every command needs
        _complain(error)
        sys.exit(ExitCode.WRONG)
    finally:
        gc.freeze()


def _complain(error: Exception) -> None:
    """Write what is wrong: on one line, whatever the texts that it quotes hold.

    A filter with a mark under the place, and what a module of the user raised, have lines of their own.
    """
    from orchestrator.config.secret_patterns import without_passwords  # noqa: PLC0415 # errors only

    has_lines = isinstance(error, FilterError | PreloadError)
    said = without_passwords(str(error))
    text = harmless(said) if has_lines else one_line(said)
    sys.stderr.write(f"orch: {text}\n")


def _occupy_standard_descriptors() -> None:
    """Open what the caller has closed of 0, 1 and 2: another file would get its number, and its text."""
    with contextlib.suppress(OSError):  # too few descriptors: those three are open then
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)


def call(arguments: Sequence[str]) -> int:
    """Carry out a command line and return the exit code.

    Raises:
        OrchestratorError: Something is wrong that the user can mend.
    """
    options = parse_arguments(arguments)
    command = getattr(
        import_module(f"orchestrator.cli.commands.{options.command}"), options.command
    )
    return int(command(options, _console()))


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command line; overrides and options may stand in any order.

    Raises:
        UsageError: There is no such command or option.
    """
    parser = _Parser(
        prog="orch",
        description="Run a grid of PyTorch trainings on this machine, and continue it after anything.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_config_options(parser, "conf", "config")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        # parse_intermixed_args knows no subcommands, so what follows the name is parsed below.
        commands.add_parser(name, help=purpose, add_help=False, allow_abbrev=False)
    options, rest = parser.parse_known_args(arguments)
    return _command_parser(options.command).parse_intermixed_args(rest, options)


def _command_parser(command: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"orch {command}", description=f"{COMMANDS[command]}.", allow_abbrev=False
    )
    # Also behind the command, where people write them; not given there, what stood before holds.
    _add_config_options(parser, argparse.SUPPRESS, argparse.SUPPRESS)
    if command != "ui":
        parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    if command in _OPTIONS:
        _OPTIONS[command](parser)
    parser.add_argument(
        "overrides", nargs="*", metavar="OVERRIDE", help="key=value, as for any Hydra program"
    )
    return parser


def _add_only_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only", metavar="EXPR", help="only the runs for which this comparison holds"
    )


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    _add_only_option(parser)
    parser.add_argument("--all", action="store_true", help="list every run, however many")
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        choices=["pending", "running", "stale", "failed", "done"],
        help="list the runs in this state; may be given several times",
    )
    parser.add_argument(
        "--excluded", action="store_true", help="list the points that filters dropped"
    )
    parser.add_argument(
        "--reasons", action="store_true", help="count the runs with each action and reason"
    )


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    _add_only_option(parser)
    share = parser.add_argument_group("the machine")
    share.add_argument(
        "--workers", type=int, metavar="N", help="runs at once (default: one a GPU, or one a CPU)"
    )
    share.add_argument("--gpus", metavar="WHICH", help="all, none, or numbers such as 0,1")
    share.add_argument("--threads", type=int, metavar="N", help="CPU threads of a run")
    order = parser.add_argument_group("order and limits")
    order.add_argument(
        "--order", metavar="HOW", help="declared, cheap:KEY (small numbers first), round-robin:AXIS"
    )
    order.add_argument("--timeout", metavar="TIME", help="end a run after 90s, 10m, 1h30m, ...")
    order.add_argument(
        "--no-progress", metavar="TIME", help="end a run that shows no progress for so long"
    )
    failures = parser.add_argument_group("failures")
    failures.add_argument(
        "--retries", type=int, metavar="N", help="try a run again that was killed, or lacked room"
    )
    failures.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    failures.add_argument("--max-failures", type=int, metavar="N", help="stop at the Nth failure")
    parser.add_argument("--quiet", action="store_true", help="print failures and the end only")


def _add_status_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="list every run, however many")
    parser.add_argument(
        "--watch", action="store_true", help="repeat it, for as long as anybody executes the runs"
    )


def _add_show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run ID, or how it begins")


def _add_diff_options(parser: argparse.ArgumentParser) -> None:
    _add_show_options(parser)
    parser.add_argument("other", metavar="RUN", help="the run to compare it with")


def _add_logs_options(parser: argparse.ArgumentParser) -> None:
    _add_show_options(parser)
    parser.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help="go on printing, from attempt to attempt, until nobody executes the run",
    )
    parser.add_argument(
        "--attempt", type=int, metavar="N", help="of this attempt (default: the last one)"
    )
    parser.add_argument("--tail", type=_count, metavar="N", help="only the last N lines")


def _add_results_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="AXIS",
        help="average over this axis (default: seed); may be given several times",
    )
    parser.add_argument("--sort", metavar="METRIC", help="sort by this metric (default: the first)")
    parser.add_argument("--csv", action="store_true", help="print CSV, for spreadsheets")


def _add_prune_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="remove them, for good")
    parser.add_argument(
        "--without-grid",
        action="store_true",
        help="remove finished runs also where the command names no grid",
    )
    parser.set_defaults(only=None)


def _add_ui_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=5000, help="the page's port (default: 5000)")


_OPTIONS: Final[Mapping[str, Callable[[argparse.ArgumentParser], None]]] = {
    "plan": _add_plan_options,
    "run": _add_run_options,
    "status": _add_status_options,
    "show": _add_show_options,
    "logs": _add_logs_options,
    "diff": _add_diff_options,
    "results": _add_results_options,
    "prune": _add_prune_options,
    "ui": _add_ui_options,
}


def _count(text: str) -> int:
    """Read a number of 0 or more; argparse tells when it is none."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _add_config_options(parser: argparse.ArgumentParser, folder: str, name: str) -> None:
    parser.add_argument(
        "--config-dir", default=folder, metavar="DIR", help="the config folder (default: conf)"
    )
    parser.add_argument(
        "--config-name", default=name, metavar="NAME", help="the primary config (default: config)"
    )


def _console() -> Console:
    from orchestrator.cli.safe_output import HarmlessConsole  # noqa: PLC0415 # rich: not for orch --help

    # Without a terminal nobody is served by lines cut at 80 columns.
    width = None if sys.stdout.isatty() else 10_000
    return HarmlessConsole(width=width)
