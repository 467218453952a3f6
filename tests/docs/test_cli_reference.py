"""The page on the command line: made from the parsers, and made again whenever they change.

``python tests/docs/test_cli_reference.py`` writes it.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.append(str(Path(__file__).parent))  # for the script

from doc_pages import DOCS

from orchestrator.cli.arguments import COMMANDS, WITHOUT_CONFIG, command_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = DOCS / "reference" / "cli.md"
HEAD = """\
<!-- Made by tests/docs/test_cli_reference.py from the parsers; edits are overwritten. -->
# Command line

```text
orch [--config-dir DIR] [--config-name NAME] COMMAND [OVERRIDE...] [OPTIONS]
```

Commands take Hydra overrides, which say which experiment is meant. Overrides and options may
stand in any order. A run is named by any unambiguous prefix of its ID. With `NO_COLOR` in the environment, nothing is
coloured, bold or dim.

| command | does |
|---|---|
"""
COMMON = """
## Options of every command

`orch ui` and `orch completion` print no JSON; `orch init` and `orch completion` take neither overrides nor the
options about configs.

| option | does |
|---|---|
"""
EXIT_CODES = """
## Exit codes

The exit codes are a contract.

| code | means |
|---|---|
| 0 | all that was asked for is done |
| 1 | a run failed |
| 2 | the command, the config or a filter is wrong; one line on stderr says what, where and what to do |
| 3 | something was left over: runs that this `orch run` could not finish, points that did not reach MLflow, directories that could not be removed |
| 4 | a run is in a state that `orch status --halt-on` names |
| 130 | interrupted |
| 141 | the reader of the output closed the pipe before all was written, as in `orch plan \\| head -1` and for other programs; `orch run`, `rerun` and `work` go on without a reader |
"""


def make_page() -> str:
    """Return the page as the parsers of now have it."""
    parsers = {name: command_parser(name) for name in COMMANDS}
    text = HEAD
    text += "".join(f"| [`{name}`](#orch-{name}) | {COMMANDS[name]} |\n" for name in parsers)
    first = parsers["plan"]
    common = [action for action in options_of(first) if is_common(action, parsers)]
    text += COMMON + "".join(map(row, common))
    for name, parser in parsers.items():
        own = [action for action in options_of(parser) if not is_common(action, parsers)]
        text += f"\n## orch {name}\n\n{sentence(COMMANDS[name])}\n\n"
        text += f"```text\n{usage(name, parser)}\n```\n"
        if own:
            text += "\n| option | does |\n|---|---|\n" + "".join(map(row, own))
    return text + EXIT_CODES


def options_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield what a command takes besides overrides, --help, and what its help leaves out."""
    for action in parser._actions:
        if action.dest not in ("help", "overrides") and action.help != argparse.SUPPRESS:
            yield action


def is_common(action: argparse.Action, parsers: dict[str, argparse.ArgumentParser]) -> bool:
    """Tell whether every command has an option, the web page's --json aside."""
    having = {
        name for name, each in parsers.items() if action.dest in {it.dest for it in each._actions}
    }
    return having >= set(parsers) - {"ui", *WITHOUT_CONFIG}


def usage(name: str, parser: argparse.ArgumentParser) -> str:
    """Return the line that calls a command."""
    arguments = [str(action.metavar) for action in options_of(parser) if not action.option_strings]
    rest = "[OPTIONS]" if name in WITHOUT_CONFIG else "[OVERRIDE...] [OPTIONS]"
    return " ".join(["orch", name, *arguments, rest])


def row(action: argparse.Action) -> str:
    """Return the line of a table for an option."""
    names = action.option_strings or [str(action.metavar)]
    value = ""
    if action.option_strings and action.nargs != 0:
        named = action.metavar
        if isinstance(named, tuple):  # an option with several values
            named = " ".join(named)
        value = " " + (named or "|".join(map(str, action.choices or ["VALUE"])))
    shown = ", ".join(f"`{name}{value}`".replace("|", "\\|") for name in names)
    return f"| {shown} | {(action.help or '').replace('|', chr(92) + '|')} |\n"


def sentence(purpose: str) -> str:
    """Return a purpose as a sentence."""
    return f"{purpose[0].upper()}{purpose[1:]}."


def test_page_is_what_the_parsers_say() -> None:
    """A page that is out of date is written again by running this file."""
    assert PAGE.read_text(encoding="utf-8") == make_page()


def test_page_knows_every_exit_code() -> None:
    """The codes of the table are those of the program."""
    from orchestrator.cli.exit_codes import ExitCode  # noqa: PLC0415 # the script does without

    found = {int(code) for code in re.findall(r"^\| (\d+) \|", EXIT_CODES, re.MULTILINE)}
    assert found == set(map(int, ExitCode))


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
