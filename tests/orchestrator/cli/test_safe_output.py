"""Nothing that is printed steers a terminal, whichever command prints it, wherever it comes from."""

from __future__ import annotations

import io
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest
from rich.table import Table
from rich.text import Text

from orchestrator.cli import main as main_module
from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.safe_output import HarmlessConsole, on_one_line, print_hanging
from orchestrator.sanitize import HarmlessStream

HOSTILE = "a\x1b]0;title\x07b\x1b[2Jc\x9b31m\u202edesrever\x08\x7f"
AXIS = f"x='{HOSTILE}\nline'"
MARKUP = "[draft] [/b] [bold]"
OURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")  # colours and movements of the cursor

CONFIG = """\
results_dir: {folder}/{results}
experiment_id: grid
x: 0
y: 0
orch: {{tracking: {{enabled: false}}, command: [{python}, -c, "{program}"]}}
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def is_clean(text: str) -> bool:
    """Tell whether nothing but rich's own sequences, letters and line breaks is in a text."""
    own = OURS.sub("", text).replace("\r", "").replace("\n", "")
    return own.isprintable() and "\x1b[2Jc" not in text


def console() -> HarmlessConsole:
    return HarmlessConsole(width=200, file=Terminal())


def printed(screen: HarmlessConsole) -> str:
    return str(cast("Any", screen.file).getvalue())


@pytest.mark.parametrize("wrap", [lambda text: text, Text, lambda text: Text.assemble("x ", text)])
def test_what_is_printed_steers_nothing(wrap: Any) -> None:
    """As text, as a cell, as a header: colours stay rich's own."""
    screen = console()
    screen.print(wrap(f"one\ntwo {HOSTILE}"))
    table = Table("head")
    table.add_column(wrap(HOSTILE))
    table.add_row(wrap(HOSTILE), "cell")
    screen.print(table)
    with screen.status(Text(HOSTILE)):
        pass
    assert is_clean(printed(screen))
    assert "one\ntwo a?]0;titleb?[2Jc?31m?desrever" in printed(screen).replace("x ", "")


def test_markup_and_emoji_are_text() -> None:
    """A path may have brackets and colons in it."""
    screen = console()
    screen.print(MARKUP, ":smile:")
    assert printed(screen) == f"{MARKUP} :smile:\n"


def test_line_stays_one_line_and_keeps_its_colours() -> None:
    """Also where a value has line breaks."""
    line = on_one_line(Text.assemble(("a\nb", "red"), "\n\tc"))
    assert line.plain == "a?b??c"
    assert [(span.start, span.end) for span in line.spans] == [(0, 3)]


def test_what_is_written_past_rich_steers_nothing() -> None:
    """Warnings of libraries and tracebacks go to standard error as they are."""
    stream = Terminal()
    HarmlessStream(stream).write(f"{HOSTILE}\n\ttext\n")
    assert stream.getvalue() == "a?]0;title?b?[2Jc?31m?desrever??\n\ttext\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project with a run whose axis, metrics, error and folder are hostile."""
    (tmp_path / "conf").mkdir()
    program = "print('out'); raise SystemExit(3)"
    where = {"folder": tmp_path, "results": "[b]", "python": sys.executable}
    text = CONFIG.format(**where, program=program)
    (tmp_path / "conf/config.yaml").write_text(text)
    call(tmp_path, "run", AXIS, "y=1,2")
    for directory in (tmp_path / "[b]/grid/training").iterdir():
        metrics = {f"loss{HOSTILE}": 1.5, "[/b]": HOSTILE}
        content = {"iteration": 1, "iterations": 2, "metrics": metrics}
        (directory / "progress.json").write_text(json.dumps(content))
        config = (directory / "config.yaml").read_text()
        (directory / "config.yaml").write_text(f'{config}"k{HOSTILE!r}": 1\n'.replace("'", ""))
    return tmp_path


def call(folder: Path, *arguments: str) -> str:
    """Return what a command prints on a terminal, with what it says if it is refused."""
    screen = console()
    where = ["--config-dir", str(folder / "conf")]
    try:
        options = parse_arguments([*where, *arguments])
        module = import_module(f"orchestrator.cli.commands.{options.command}")
        getattr(module, options.command)(options, screen)
    except main_module.OrchestratorError as error:
        stream, sys.stderr = sys.stderr, Terminal()
        try:
            main_module._complain(error)
            return printed(screen) + sys.stderr.getvalue()
        finally:
            sys.stderr = stream
    return printed(screen)


def run_ids(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "[b]/grid/training").iterdir())


def test_no_command_lets_a_value_steer_the_terminal(folder: Path) -> None:
    """Whatever is quoted: axes, files, paths, conditions, options, names of runs and of files."""
    one, other = run_ids(folder)
    commands = [
        ["plan", AXIS, "y=1,2"],
        ["plan", "y=7"],
        ["plan", AXIS, "y=1,2", "--reasons"],
        ["run", AXIS, "y=1,2", "--retries=0"],
        ["status", "--all"],
        ["results"],
        ["results", "--csv"],
        ["results", f"--sort={HOSTILE}"],
        ["results", f"--over={HOSTILE}"],
        ["show", one, AXIS],
        ["show", HOSTILE],
        ["diff", one, other],
        ["logs", one],
        ["prune", "y=7"],
        ["prune", "y=7", f"--{HOSTILE}"],
        ["plan", f"--only=x == {HOSTILE}"],
        ["plan", f"--only=x == '{HOSTILE}'", AXIS],
        ["plan", f"{HOSTILE}=1"],
        ["plan", f"x={HOSTILE}"],
        ["run", f"--timeout={HOSTILE}"],
        ["run", f"--gpus={HOSTILE}"],
        ["run", f"--order={HOSTILE}"],
        ["run", f"+orch.preload=['{HOSTILE}']", "orch.command=null"],
        ["plan", f"_filters=['{HOSTILE}']"],
        ["plan", f"experiment_id='{HOSTILE}'"],
        ["plan", f"results_dir='{HOSTILE}'"],
        ["status", "--config-name", HOSTILE],
        ["sync", f"orch.tracking.uri='{HOSTILE}'"],
    ]
    for command in commands:
        told = call(folder, *command)
        assert told, command
        assert is_clean(told), (command, told)


def test_paths_with_brackets_are_printed_whole(folder: Path) -> None:
    """``[b]`` does not make letters bold."""
    for command in ("status", "results"):
        assert "[b]/none/training" in call(folder, command, "experiment_id=none")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("a line that is too long for it", ["a line that is too", "    long for it"]),
        ("  ends at the width", ["  ends at the width"]),
        ("  key one -> another one here", ["  key one -> another", "      one here"]),
        ("in /a/path/that/is/too/long/for/it", ["in", "    /a/path/that/is/too/long/for/it"]),
        ("/a/path/that/is/too/long/for/it", ["/a/path/that/is/too/long/for/it"]),
        ("one\ntwo lines, of which this is long", ["one", "two lines, of which", "    this is long"]),
        ("漢字 漢字 漢字 漢字 漢字", ["漢字 漢字 漢字 漢字", "    漢字"]),
    ],
)  # fmt: skip
def test_long_line_goes_on_indented_and_no_word_is_broken(text: str, lines: list[str]) -> None:
    """A path can be copied from a terminal, whatever its width; the style stays."""
    for given in (text, Text(text, style="cyan")):
        out = Terminal()
        HarmlessConsole(width=20, file=out).print(given)
        told = OURS.sub("", out.getvalue())
        assert [line.rstrip() for line in told.splitlines()] == lines
    out = io.StringIO()
    HarmlessConsole(width=10_000, file=out).print(text)
    assert out.getvalue() == f"{text}\n"


@pytest.mark.parametrize(("value", "is_plain"), [("1", True), ("", False), (None, False)])
def test_no_color_leaves_no_style_at_all(
    value: str | None, *, is_plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither bold nor dim; an empty value does not count."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    file = io.StringIO()
    HarmlessConsole(file=file).print(Text("said", style="bold red"))
    assert ("\x1b" not in file.getvalue()) == is_plain


@pytest.mark.parametrize(
    ("width", "is_terminal", "lines"),
    [
        (22, True, ["  code     one two", "           three"]),
        (22, False, ["  code     one two three"]),
        (12, True, ["  code     one", "      two", "      three"]),
    ],
)
def test_value_goes_on_below_its_beginning(
    width: int, *, is_terminal: bool, lines: list[str]
) -> None:
    """At most half of the terminal is left empty for it, and no label stands alone."""
    file = Terminal() if is_terminal else io.StringIO()
    console = HarmlessConsole(width=width, file=file)
    print_hanging(Text("  code     one two three"), 11, console)
    assert [line.rstrip() for line in OURS.sub("", file.getvalue()).splitlines()] == [
        it.rstrip() for it in lines
    ]
