"""The completion of a command line in a shell: which words may stand where the cursor is.

It answers while the user waits for a key: it composes no config, and imports no Hydra.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from orchestrator.cli.arguments import (
    COMMANDS,
    CONFIG_DIR,
    CONFIG_NAME,
    WITHOUT_CONFIG,
    command_parser,
)
from orchestrator.cli.config_candidates import ConfigCandidates
from orchestrator.cli.hydra_options import add_config_options
from orchestrator.grid.identity import RUN_ID_DIGITS, SHORT_ID_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ABOUT_RUNS: Final = ("show", "logs", "diff", "note", "rerun", "rm")
_FOLDERS: Final = ("DIR",)
_AXES: Final = ("AXIS", ("AXIS", "AXIS"))
_METRICS: Final = ("METRIC", "METRICS")
_OF_RESULTS: Final = ("--x", "--heat", "--parallel", "--sort")  # of orch plot
_OPTIONS_OF_FOLDER: Final = ("--config-dir", "--config-path", "-cd", "-cp")
_OPTIONS_OF_NAME: Final = ("--config-name", "-cn")
_PLAIN: Final = re.compile(r"[\w@%+=:,./~-]+")
_BREAKS: Final = "=:"  # where bash begins another word


def print_candidates(arguments: Sequence[str]) -> None:
    """Print the candidates for ``SHELL LINE``, one per line; nothing if anything goes wrong.

    Those that a shell would have to quote are left out: it inserts them as they are.
    """
    shell, line = (*arguments, "", "")[:2]
    *words, (current, behind_break) = _split(line)
    try:
        found = candidates([word for word, _ in words[1:]], current)
    except Exception:  # noqa: BLE001 # whatever is wrong is told when the command is executed
        return
    if shell == "bash":  # it replaces only what stands behind the last break
        found = [each[behind_break:] for each in found]
    sys.stdout.write("".join(f"{each}\n" for each in found if _PLAIN.fullmatch(each)))


def _split(line: str) -> list[tuple[str, int]]:
    """Return the words of a line, and where in each what stands behind its last break begins.

    The last word is being typed; quotes may still be open. Within quotes, nothing is a break.
    """
    words, word, quote, is_open, behind_break = [], "", "", False, 0
    for character in line:
        if quote:
            quote, word = ("", word) if character == quote else (quote, word + character)
        elif character in "'\"":
            quote, is_open = character, True
        elif character.isspace():
            if word or is_open:
                words.append((word, behind_break))
            word, is_open, behind_break = "", False, 0
        else:
            word += character
            behind_break = len(word) if character in _BREAKS else behind_break
    return [*words, (word, behind_break)]


def candidates(words: Sequence[str], current: str) -> list[str]:
    """Return the words that may stand in place of the last one.

    Args:
        words: Those before it, without ``orch``.
        current: What of it is typed already.
    """
    command = next((word for word in words if word in COMMANDS), "")
    parser = command_parser(command) if command else argparse.ArgumentParser(add_help=False)
    if not command:
        add_config_options(parser, None)
    actions = {name: action for action in parser._actions for name in action.option_strings}  # noqa: SLF001 # argparse has no other way to list options
    before = words[-1] if words else ""
    if before in actions and actions[before].nargs != 0:
        return _values_of(actions[before], words, current)
    option, sign, value = current.partition("=")
    if sign and option in actions:  # --state=failed
        found = _values_of(actions[option], [*words, option], value)
        return [f"{option}={each}" for each in found]
    if current.startswith("-"):
        shown = (it for it, action in actions.items() if action.help != argparse.SUPPRESS)
        extra = () if command else ("--version", "--help")
        return _beginning((*shown, *extra), current)
    if not command:
        return _beginning(COMMANDS, current)
    return _operands(command, words, current)


def _values_of(action: argparse.Action, words: Sequence[str], current: str) -> list[str]:
    if action.choices:
        return _beginning(map(str, action.choices), current)
    if action.metavar in _METRICS:
        *listed, last = current.split(",") if action.metavar == "METRICS" else [current]
        start = "".join(f"{each}," for each in listed)
        found = _beginning(_metrics(words), last)
        return [f"{start}{each}" for each in found if each not in listed]
    if action.metavar in _AXES:
        return _beginning(_config_of(words).keys(), current)
    return _folders(current) if action.metavar in _FOLDERS else []


def _operands(command: str, words: Sequence[str], current: str) -> list[str]:
    """Return what is not an option: a shell, a folder, runs, or overrides."""
    if command == "completion":
        return _beginning(("bash", "zsh", "fish"), current)
    if command in WITHOUT_CONFIG:
        return _folders(current)
    config = _config_of(words)
    prefix = current[: len(current) - len(current.lstrip("+~"))]
    key, sign, value = current[len(prefix) :].partition("=")
    if sign:
        *listed, last = value.split(",")
        start = f"{prefix}{key}=" + "".join(f"{each}," for each in listed)
        known = _experiments_in(config) if key == "experiment_id" else config.values(key)
        return [start + each for each in _beginning(known, last) if each not in listed]
    found = [f"{prefix}{each}=" for each in _beginning(config.keys(), key)]
    if command == "plot" and not prefix:
        found = [*_beginning(_metrics(words), current), *found]
    if command in _ABOUT_RUNS and not prefix:
        found = [*_runs(config, current), *found]
    if command == "status" and not prefix:
        found += _folders(current) if current else []
    return found


def _config_of(words: Sequence[str]) -> ConfigCandidates:
    folder, name = CONFIG_DIR, CONFIG_NAME
    for word, following in pairwise(words):
        folder = following if word in _OPTIONS_OF_FOLDER else folder
        name = following if word in _OPTIONS_OF_NAME else name
        if word == "--app":
            from orchestrator.config.hydra_app import find_app  # noqa: PLC0415 # hardly ever

            app = find_app(following)
            folder, name = str(app.config_dir or CONFIG_DIR), app.config_name or CONFIG_NAME
    for word in words:
        option, _, value = word.partition("=")
        folder = value if value and option in _OPTIONS_OF_FOLDER else folder
        name = value if value and option in _OPTIONS_OF_NAME else name
    typed = (word.lstrip("+").partition("=") for word in words if "=" in word)
    return ConfigCandidates(folder, name, {key: value for key, _, value in typed})


def _metrics(words: Sequence[str]) -> list[str]:
    """Return the metrics that may be named: curves to draw, or else also what runs report at their end."""
    from orchestrator.cli.metric_candidates import find_metrics  # noqa: PLC0415 # few words are metrics

    named = [f"{word.rstrip('/')}/training" for word in words]
    folders = [*filter(os.path.isdir, named)] or _folders_of_runs(_config_of(words))
    draws_curves = "plot" in words and not {*_OF_RESULTS}.intersection(words)
    return find_metrics(folders, with_best="status" not in words, only_curves=draws_curves)


def _folders_of_runs(config: ConfigCandidates) -> list[str]:
    results = config.value_of("results_dir", "results")
    own = config.value_of("experiment_id", "")
    return [f"{results}/{each}/training" for each in ([own] if own else _names_in(results))]


def _experiments_in(config: ConfigCandidates) -> list[str]:
    results = config.value_of("results_dir", "results")
    return [each for each in _names_in(results) if _names_in(f"{results}/{each}/training")]


def _runs(config: ConfigCandidates, current: str) -> list[str]:
    """Return the IDs of runs, shortened to what tables show unless more is typed or needed."""
    ids = {
        run_id
        for folder in _folders_of_runs(config)
        for run_id in _names_in(folder)
        if len(run_id) == RUN_ID_DIGITS and run_id.startswith(current)
    }
    if len(current) > SHORT_ID_DIGITS:
        return sorted(ids)
    shortened = sorted(run_id[:SHORT_ID_DIGITS] for run_id in ids)
    return shortened if len(set(shortened)) == len(ids) else sorted(ids)


def _folders(current: str) -> list[str]:
    """Return the folders that a path may go on with, but hidden ones unless a dot is typed."""
    folder, slash, name = current.rpartition("/")
    names = _names_in(f"{folder}{slash}" or ".")
    shown = (each for each in names if name.startswith(".") or not each.startswith("."))
    paths = (f"{folder}{slash}{each}" for each in shown if each.startswith(name))
    return [f"{path}/" for path in paths if os.path.isdir(path)]  # noqa: PTH112 # pathlib costs milliseconds


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(os.path.expanduser(folder)))  # noqa: PTH208, PTH111 # as above
    except OSError:
        return []


def _beginning(words: Iterable[str], current: str) -> list[str]:
    return [word for word in words if word.startswith(current)]
