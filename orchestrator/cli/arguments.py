"""The arguments of ``orch``: the commands, and the parser that reads them."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Final, NoReturn, cast

from orchestrator.cli.habitual_options import MEANT, MEANT_CHOICE
from orchestrator.cli.hydra_options import add_config_options, check_show_options
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    class _Writable(Protocol):
        def write(self, text: str, /) -> object: ...


CONFIG_DIR: Final = "conf"
CONFIG_NAME: Final = "config"
# Commands that take neither overrides nor a config.
WITHOUT_CONFIG: Final = ("init", "completion", "work")
COMMANDS: Final[Mapping[str, str]] = {
    "init": "write a small project that runs at once, to begin your own from",
    "plan": "show what run would do and why, and what each filter dropped",
    "run": "execute the plan; the same command again resumes it",
    "work": "execute runs that orch run --prepare has prepared, also on another machine",
    "stop": "ask the orch run of an experiment to stop, from another terminal",
    "control": "change workers, pause or resume the orch run of an experiment, from another terminal",
    "status": "show the state, progress and metrics of an experiment's runs",
    "show": "show the details of one run, and the command that continues it",
    "logs": "print the output of a run's last attempt, with --follow while it is written",
    "note": "show or change the note and the tags of a run",
    "diff": "show the keys in which two runs differ",
    "results": "compare metrics by axis, mean and standard deviation over seeds, the best first",
    "plot": "draw metrics: learning curves, against an axis, as a heat map; PNG, SVG or PDF",
    "report": "write an experiment as one HTML page: what ran, results, curves, failures",
    "rerun": "execute runs again from nothing; their earlier results are kept until that is done",
    "rm": "show, and with --yes remove, the run directories of single runs",
    "prune": "show, and with --yes remove, run directories that the grid no longer names",
    "sync": "send to MLflow what has not arrived yet",
    "completion": "print the script with which a shell completes what you type for orch",
    "ui": "serve MLflow's page for the experiment's store, on this machine only",
}
_WITHOUT_JSON: Final = ("completion", "ui")
_KINDS: Final = {
    "int": "a whole number",
    "count": "a whole number of 0 or more",
    "positive": "a whole number of 1 or more",
    "float": "a number",
    "port": "a port, from 1 to 65535",
}
_WRONG: Final = rf"(?s)argument ([^:]+): invalid ({'|'.join(_KINDS)}) value: (.*)"
_WRONG_CHOICE: Final = r"(?s)argument ([^:]+): invalid choice: '(.*)' \(choose from (.*)\)"
_LACKS_VALUE: Final = r"argument ([^:]+): expected (one|\d+) arguments?"
_EXCLUDES: Final = r"argument ([^:]+): not allowed with argument (.*)"
_VERY_SIMILAR: Final = 0.7
_GIVEN_ONCE: Final = ("--where", "--only", "--at", "--sort", "--x", "--heat")
_EPILOG: Final = """\
Overrides follow Hydra's grammar, sweeps included:
  orch plan training=grid_search
  orch run training=grid_search optimizer.lr=0.01,0.1 --workers 2
  orch status
Options of Hydra apps are understood: -m, --config-path, --config-name, --cfg.

exit codes: 0 everything is done, 1 a run failed, 2 the command, the config or a
filter is wrong, 3 runs are left, 4 status --halt-on found one, 130 interrupted,
141 the reader of the output closed it before all was written
"""


class _PrintVersion(argparse.Action):
    """Prints the installed version; reads it only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 # slow, and needed only here

        sys.stdout.write(f"orch {version('orch')}\n")
        parser.exit()


class _ArgumentParser(argparse.ArgumentParser):
    """Raises usage errors as ``UsageError`` instead of printing the usage."""

    def print_help(self, file: _Writable | None = None) -> None:
        """Print the help; argparse itself would hide that it cannot be written."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        _, is_missing, names = message.partition("arguments are required: ")
        if is_missing:
            # The overrides are among them, which may be left out.
            needed = [name for name in names.split(", ") if name not in ("OVERRIDE", "COMMAND")]
            requests = [each for name in dict.fromkeys(needed) for each in self._ask(name, needed)]
            message = "; ".join(requests) or message
        if wrong := re.fullmatch(_WRONG, message):
            message = f"{wrong[1]}: {wrong[3]} is not {_KINDS[wrong[2]]}"
        elif wrong := re.match(
            r"(?s)argument COMMAND: invalid choice: '(.*)' \(choose from", message
        ):
            message = f"there is no command {wrong[1]!r}{_suggest(wrong[1], list(COMMANDS))}"
        elif wrong := re.fullmatch(_WRONG_CHOICE, message):
            known = re.findall("'([^']*)'", wrong[3])
            meant = MEANT_CHOICE.get(wrong[2])
            near = f". Did you mean {meant}?" if meant in known else _suggest(wrong[2], known)
            message = f"{wrong[1]}: {wrong[2]!r} is not one of {', '.join(known)}{near}"
        elif wrong := re.fullmatch(_LACKS_VALUE, message):
            message = f"{wrong[1]} needs {'a value' if wrong[2] == 'one' else f'{wrong[2]} values'}"
        elif wrong := re.fullmatch(_EXCLUDES, message):
            message = f"{wrong[1]} and {wrong[2]} exclude each other"
        elif wrong := re.fullmatch(r"(?s)argument (--?[^:]+: .*)", message):
            message = wrong[1]
        elif wrong := re.match(r"unrecognized arguments: (-[^\s=]*)", message):
            message = f"there is no option {wrong[1]}{self._suggest_option(wrong[1])}"
        end = "" if message.endswith("?") else "."
        raise UsageError(f"{message}{end} See {self.prog} --help.")

    def check_options(self, words: Sequence[str]) -> None:
        """Make sure that there are all options among some words.

        Raises:
            UsageError: There is one that is unknown; argparse would ask for what is missing first.
        """
        for at, word in enumerate(words):
            name = word.partition("=")[0]
            if name == "--":
                return
            is_option = (name.startswith("--") and " " not in word) or name in MEANT
            if is_option and name not in self._option_string_actions:
                meant = self._suggest_option(name) or self._suggest_override(*words[at : at + 2])
                self.error(f"there is no option {name}{meant}")

    def check_repeats(self, words: Sequence[str]) -> None:
        """Raise ``UsageError`` for a choice of runs or numbers that is given twice, as if both counted.

        Of other options the last one counts, so that a script may have a default.
        """
        given: dict[argparse.Action, Sequence[str]] = {}
        for at, word in enumerate(words[: words.index("--")] if "--" in words else words):
            name, equals, value = word.partition("=")
            action = self._option_string_actions.get(name)
            if action and name in _GIVEN_ONCE and not isinstance(action.default, list):
                length = action.nargs if isinstance(action.nargs, int) else 1
                values = [value] if equals else words[at + 1 : at + 1 + length]
                if given.setdefault(action, values) != values:
                    told = " and ".join(map(" ".join, (given[action], values)))
                    self.error(f"{name} is given twice, with {told}. Give it once")

    def _suggest_option(self, name: str) -> str:
        """Return a question for the option that is meant, to end a sentence with; may be empty."""
        positional = [it.metavar for it in self._actions if not it.option_strings]
        for meant in MEANT.get(name, ()):
            if meant in self._option_string_actions:
                return f". Did you mean {meant}?"
            if meant in positional:
                return f". Did you mean {meant}, without an option?"
        bare = [option.lstrip("-") for option in self._option_string_actions]
        near, found, end = _suggest(name.lstrip("-"), bare).partition("mean ")
        return f"{near}{found}--{end}" if near else ""

    def _suggest_override(self, word: str, following: str = "") -> str:
        """Return what an option with a value may mean, ``--lr=0.1`` or ``--lr 0.1``; may be empty."""
        key, equals, value = word.lstrip("-").partition("=")
        value = value if equals else "" if "=" in following or following[:1] == "-" else following
        has_overrides = any(it.metavar == "OVERRIDE" for it in self._actions)
        if not (has_overrides and value and re.fullmatch(r"[a-zA-Z_][\w.-]*", key)):
            return ""
        import shlex  # noqa: PLC0415 # a third of a millisecond

        meant = shlex.quote(f"{key.replace('-', '_')}={value}")
        return f". Overrides are written without dashes: {meant}"

    def _ask(self, name: str, needed: Sequence[str]) -> list[str]:
        """Return what each missing argument of a name is for: the last ones of that name."""
        own = [it for it in self._actions if name in (*it.option_strings, it.metavar, it.dest)]
        return [
            f"{name} {it.metavar} is missing: {it.help}"
            if it.option_strings
            else f"{name} is missing: {it.help}"
            for it in own[-needed.count(name) :]
        ]

    def sort_runs(self, options: argparse.Namespace) -> None:
        """Let overrides stand before the runs that a command asks for: a run ID has no equals sign.

        Raises:
            UsageError: A run is missing.
        """
        asked = [it.dest for it in self._actions if it.metavar == "RUN" and it.nargs is None]
        if not any(_is_override(getattr(options, name)) for name in asked):
            return
        text = [options.text] if getattr(options, "text", None) is not None else []
        words = [*(getattr(options, name) for name in asked), *text, *options.overrides]
        runs = [word for word in words if not _is_override(word)][: len(asked)]
        if len(runs) < len(asked):
            self.error(f"the following arguments are required: {', '.join(['RUN'] * len(asked))}")
        for name, run in zip(asked, runs, strict=True):
            setattr(options, name, run)
            words.remove(run)
        if text:
            options.text = None
        options.overrides = words


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command line; overrides and options may stand in any order.

    Raises:
        UsageError: There is no such command or option.
    """
    parser = _ArgumentParser(
        prog="orch",
        description="Run a grid of PyTorch trainings, and resume it after any interruption.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(typed=None)
    add_config_options(parser, None)
    parser.add_argument(
        "--version", action=_PrintVersion, nargs=0, help="print the version and exit"
    )
    # parse_intermixed_args knows no subcommands, so what follows the name is parsed below: one parser
    # that leaves everything to the command's own serves all of them.
    rest_parser = _ArgumentParser(prog="orch", add_help=False, allow_abbrev=False)
    commands = parser.add_subparsers(
        dest="command",
        metavar="COMMAND",
        required=True,
        parser_class=cast("type[_ArgumentParser]", lambda **_: rest_parser),
    )
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose)
    if not arguments:
        parser.print_help()
        parser.exit()
    if arguments[0] == "help":  # as git has it
        arguments = [*arguments[1:2], "--help"]
    options, rest = parser.parse_known_args(arguments)
    own = command_parser(options.command)
    own.check_options(rest)
    own.check_repeats(rest)
    options = own.parse_intermixed_args(rest, options)
    own.sort_runs(options)
    check_show_options(options)
    if not options.app:  # which has a config folder and a primary config itself
        options.config_dir = options.config_dir or CONFIG_DIR
        options.config_name = options.config_name or CONFIG_NAME
    return options


def _suggest(word: str, known: Sequence[str]) -> str:
    """Return a question for the most similar word, to end a sentence with; empty if none is similar."""
    import difflib  # noqa: PLC0415 # errors only

    # Of short words, every second one is similar: bogus and logs.
    alike = [each for each in known if each[:1] == word[:1]]
    near = difflib.get_close_matches(word, known, n=1, cutoff=_VERY_SIMILAR)
    near = near or difflib.get_close_matches(word, alike, n=1)
    return f". Did you mean {near[0]}?" if near else ""


def _is_override(word: str) -> bool:
    return "=" in word or word.startswith("~")


def command_parser(command: str) -> _ArgumentParser:
    """Return the parser of what follows the name of a command."""
    from orchestrator.cli.options_by_command import OPTIONS  # noqa: PLC0415 # not for orch --help

    parser = _ArgumentParser(
        prog=f"orch {command}", description=f"{COMMANDS[command]}.", allow_abbrev=False
    )
    if command not in WITHOUT_CONFIG:
        # Accepted after the command as well; if not given there, those before the command hold.
        add_config_options(parser, argparse.SUPPRESS)
    if command not in _WITHOUT_JSON:
        parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    if command in OPTIONS:
        OPTIONS[command](parser)
    if command in WITHOUT_CONFIG:
        parser.set_defaults(overrides=[])
        return parser
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="OVERRIDE",
        help="set a value or sweep over several, as key=value; Hydra's grammar",
    )
    return parser
