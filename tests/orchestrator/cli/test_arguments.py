"""The command line is parsed: options in any order, overrides as they are, mistakes in one line."""

import shlex
from importlib.metadata import version

import pytest

from orchestrator.cli.arguments import COMMANDS, WITHOUT_CONFIG, parse_arguments
from orchestrator.errors import UsageError


def test_overrides_and_options_may_be_in_any_order() -> None:
    """Options may come before, between and after the overrides."""
    for line in (
        "--config-dir other run a=1 --workers 2 b=2 --json",
        "run --workers 2 a=1 b=2 --config-dir other --json",
        "run a=1 --json --config-dir other b=2 --workers=2",
    ):
        options = parse_arguments(line.split())
        assert options.command == "run"
        assert options.overrides == ["a=1", "b=2"]
        assert (options.workers, options.json) == (2, True)
        assert (options.config_dir, options.config_name) == ("other", "config")


@pytest.mark.parametrize("override", ["~model", "+a=1", "++a=1", "a=[1,2]", "a={b:1}", "a=-1"])
def test_overrides_of_every_kind_are_passed_on(override: str) -> None:
    """Hydra decides what they mean, not the command line."""
    assert parse_arguments(["plan", override]).overrides == [override]


@pytest.mark.parametrize(
    "line", ["pln", "plan --jsn", "run --workers", "run --workers two", "status --workers 2"]
)
def test_wrong_usage_is_one_line(line: str) -> None:
    """It says what is wrong and where to find help."""
    with pytest.raises(UsageError) as caught:
        parse_arguments(line.split())
    assert "\n" not in str(caught.value)
    assert "--help" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("sttus", "status"),
        ("plan --jsn", "--json"),
        ("run --worker=2", "--workers"),
        ("run --time-out 3", "--timeout"),
        ("plot --logy", "--log-y"),
        ("results --format csv", "--csv"),
        ("plot --format=svg", "--out"),
        ("plot -o x.svg", "--out"),
        ("status --format json", "--json"),
        ("results --metrics loss", "--columns"),
        ("plot --metrics loss", "METRIC, without an option"),
        ("results --filter lr==1", "--where"),
        ("plan --filter lr==1", "--only"),
        ("run -j 4", "--workers"),
        ("results -n 3", "--top"),
        ("logs -n 3", "--tail"),
        ("results --by acc", "--sort"),
        ("plot --by lr", "--x"),
        ("results --group-by seed", "--over"),
        ("results --step 10", "--at"),
        ("plot --y acc", "METRIC, without an option"),
        ("run --where lr==1", "--only"),
        ("status --only lr==1", "--where"),
        ("status --follow", "--watch"),
        ("run --concurrency 3", "--workers"),
        ("prune --force", "--yes"),
        ("run --force", ""),
        ("run --dry-run", ""),
        ("note abc --x", ""),
        ("xyz", ""),
    ],
)
def test_similar_word_is_suggested(line: str, near: str) -> None:
    """Of commands and options; nothing where none is similar."""
    with pytest.raises(UsageError) as caught:
        parse_arguments(line.split())
    assert (f"Did you mean {near}? See" in str(caught.value)) is bool(near)


@pytest.mark.parametrize("text", ["--x y", "--metrics are odd", "-n y"])
def test_text_with_a_space_is_no_option(text: str) -> None:
    assert parse_arguments(["note", "abc", text]).text == text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what the command does, and whether it takes overrides."""
    with pytest.raises(SystemExit) as ended:
        parse_arguments([command, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert ("[OVERRIDE ...]" in told) is (command not in WITHOUT_CONFIG)
    assert " ".join(COMMANDS[command].split()[:3]) in " ".join(told.split())


@pytest.mark.parametrize(
    "line", ["show", "diff 8d6b", "logs a --tail -1", "logs a --attempt x", "results --over"]
)
def test_missing_or_invalid_operand_is_one_line(line: str) -> None:
    """A command about a run needs one."""
    with pytest.raises(UsageError) as caught:
        parse_arguments(line.split())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "runs", "overrides"),
    [
        ("show lr=0.1 abc", ["abc"], ["lr=0.1"]),
        ("show abc lr=0.1", ["abc"], ["lr=0.1"]),
        ("show ~lr a=1 abc b=2", ["abc"], ["~lr", "a=1", "b=2"]),
        ("logs lr=0.1 abc", ["abc"], ["lr=0.1"]),
        ("diff lr=0.1 abc def", ["abc", "def"], ["lr=0.1"]),
        ("diff abc lr=0.1 def", ["abc", "def"], ["lr=0.1"]),
        ("note lr=0.1 abc text", ["abc"], ["lr=0.1", "text"]),
        ("note abc lr=0.1", ["abc"], []),
    ],
)
def test_run_may_stand_behind_an_override(line: str, runs: list[str], overrides: list[str]) -> None:
    """A word with an equals sign is not a run ID; a text to note may have one."""
    options = parse_arguments(line.split())
    assert [options.run, *([options.other] if len(runs) > 1 else [])] == runs
    assert options.overrides == overrides


@pytest.mark.parametrize("line", ["show lr=0.1", "diff a=1 abc", "note a=1"])
def test_run_that_is_missing_behind_an_override_is_named(line: str) -> None:
    with pytest.raises(UsageError, match="RUN is missing"):
        parse_arguments(line.split())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("results --top -1", "--top: '-1' is not a whole number of 1 or more. See orch results"),
        ("status --top x", "--top: 'x' is not a whole number of 0 or more"),
        ("run --workers many", "--workers: 'many' is not a whole number"),
        ("ui --port 0.5", "--port: '0.5' is not a port, from 1 to 65535"),
        (
            "status --state faild",
            "--state: 'faild' is not one of pending, running, running?, stale, failed, done. Did you mean failed?",
        ),
        (
            "status --state paused",
            "--state: 'paused' is not one of pending, running, running?, stale, failed, done. Did you mean stale?",
        ),
        ("plot --band x", "--band: 'x' is not one of std, range, none. "),
        ("completion bsh", "SHELL: 'bsh' is not one of bash, zsh, fish. Did you mean bash?"),
        ("plan --state", "--state needs a value. "),
        ("plot --heat lr --out x.png", "--heat needs 2 values. "),
        ("plot --x lr --parallel --out x.png", "--parallel and --x exclude each other. "),
        ("plot --size 3 --out x.png", "--size: '3' is not a size. "),
        ("results --at 3 --at=5", "--at is given twice, with 3 and 5. Give it once. "),
        ("plan --only a==1 --only=b==1", "--only is given twice, with a==1 and b==1"),
        ("plot --heat a b --heat b a", "--heat is given twice, with a b and b a. "),
        ("status --where a==1 --top 2 --where b==1", "--where is given twice, with a==1 and b==1"),
        ("results --top 0", "--top: '0' is not a whole number of 1 or more. "),
        ("report --top -1 --out x.html", "--top: '-1' is not a whole number of 1 or more. "),
        ("bogus", "there is no command 'bogus'. See"),
        ("help bogus", "there is no command 'bogus'. See"),
        ("help rnu", "there is no command 'rnu'. Did you mean run? "),
        ("polt", "there is no command 'polt'. Did you mean plot? "),
    ],
)
def test_wrong_value_is_told_in_words(line: str, said: str) -> None:
    """Nobody knows what a count value is."""
    with pytest.raises(UsageError) as caught:
        parse_arguments(line.split())
    assert str(caught.value).startswith(said)


def test_orch_alone_helps(capsys: pytest.CaptureFixture[str]) -> None:
    """A user who types it first sees the commands."""
    with pytest.raises(SystemExit, match="0"):
        parse_arguments([])
    assert "orch plan training=grid_search" in capsys.readouterr().out


def test_version_is_that_of_the_installed_package(capsys: pytest.CaptureFixture[str]) -> None:
    """For reports of faults."""
    with pytest.raises(SystemExit, match="0"):
        parse_arguments(["--version"])
    assert capsys.readouterr().out == f"orch {version('orch')}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plot"], "--out FILE is missing: write the picture to this file, which ends in .png"),
        (["report", "lr=1"], "--out FILE is missing: write the page to this file"),
        (["completion"], "SHELL is missing: print it for bash, zsh or fish"),
        (["diff", "ab"], "RUN is missing: name the run to compare it with"),
        (["init"], "DIR is missing: write it into this new or empty folder"),
        (["note"], "RUN is missing: name the run by its ID"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_missing_argument_is_named_with_what_it_is_for(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_arguments(words)
    assert said in str(raised.value)
    assert str(raised.value).endswith(f". See orch {words[0]} --help.")


def test_help_fits_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        parse_arguments([])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_help_is_a_word_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    """As git has it."""
    for words, other in ((["help"], ["--help"]), (["help", "plan"], ["plan", "--help"])):
        told = []
        for line in (words, other):
            with pytest.raises(SystemExit):
                parse_arguments(line)
            told.append(capsys.readouterr().out)
        assert told[0] == told[1] != ""
    with pytest.raises(UsageError, match=r"no command 'pln'. Did you mean plan\?"):
        parse_arguments(["help", "pln"])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("plan --lr=0.1", "--lr. Overrides are written without dashes: lr=0.1."),
        ("run --seed 3", "--seed. Overrides are written without dashes: seed=3."),
        (
            "run --batch-size 3 a=1",
            "--batch-size. Overrides are written without dashes: batch_size=3.",
        ),
        ("run --verbose", "--verbose."),
        ("run --verbose a=1", "--verbose."),
        ("run --verbose --json", "--verbose."),
        ("run --worker=3", "--worker. Did you mean --workers?"),
        ("init --lr=0.1", "--lr."),
        (
            "plan --name 'two words'",
            "--name. Overrides are written without dashes: 'name=two words'.",
        ),
    ],
)
def test_override_that_is_typed_as_an_option_is_told(line: str, told: str) -> None:
    """As programs with argparse take them; a command without overrides has none to suggest."""
    with pytest.raises(UsageError) as caught:
        parse_arguments(shlex.split(line))
    assert str(caught.value).startswith(f"there is no option {told} See orch")


def test_last_of_two_values_counts_where_a_script_may_have_a_default() -> None:
    assert parse_arguments(["run", "--workers=1", "lr=1", "--workers", "2"]).workers == 2
