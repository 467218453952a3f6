"""The command that a message suggests can be pasted into a shell."""

import argparse
import shlex
import subprocess
from pathlib import Path

import pytest

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.next_command import (
    next_command,
    options_of_experiment,
    split_words,
    typed_command,
)
from orchestrator.cli.run_choice import separate_runs


def options(
    *overrides: str,
    folder: str | None = "conf",
    name: str | None = "config",
    app: str | None = None,
) -> argparse.Namespace:
    return argparse.Namespace(
        app=app, config_dir=folder, config_name=name, overrides=list(overrides)
    )


def test_defaults_are_left_out() -> None:
    assert next_command(options(), "run") == "orch run"


def test_folder_and_name_of_the_config_are_kept() -> None:
    line = next_command(options("lr=0.1", folder="my conf", name="test"), "logs", "0123")
    assert line == "orch logs 0123 '--config-dir=my conf' --config-name=test lr=0.1"


@pytest.mark.parametrize("word", ["lr=1,2", "x='a b'", "x=$HOME", "x=a;b", "x=*", 'x="q"', "x=é"])
def test_words_are_quoted_for_a_shell(word: str) -> None:
    assert shlex.split(next_command(options(word), "run"))[-1] == word


@pytest.mark.parametrize("word", ["x=a\x1bb", "x=a\nb", "x=\x07'\\"])
def test_unprintable_characters_are_escaped_as_in_bash(word: str) -> None:
    line = next_command(options(word), "run")
    assert line.isprintable()
    script = f"printf %s {line.removeprefix('orch run ')}"
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == word


@pytest.mark.parametrize(
    "words", [["run", "x=a\nb", "x='$a b'", "é"], ["x=a $'b'"], ["", "\\", "\udc80"]]
)
def test_words_of_a_command_are_found_again(words: list[str]) -> None:
    line = next_command(options(*words), "run")
    assert split_words(line) == ["orch", "run", *words]


@pytest.mark.parametrize("line", ["'a", "a  b", "$'a", 'a "b"c"'])
def test_other_lines_are_no_commands(line: str) -> None:
    with pytest.raises(ValueError, match="not quoted"):
        split_words(line)


def test_credentials_are_not_repeated() -> None:
    assert "hunter2" not in next_command(options("db.password=hunter2"), "run")


def test_app_is_named_with_the_folder_and_the_name_that_were_given() -> None:
    """Without them it has its own."""
    app = options("lr=1", folder=None, name=None, app="train.py")
    assert next_command(app, "run") == "orch run --app=train.py lr=1"
    given = options(folder="conf", name="config", app="train.py")
    line = "orch status --app=train.py --config-dir=conf --config-name=config"
    assert next_command(given, "status") == line


@pytest.mark.parametrize(
    ("experiment", "given", "kept"),
    [
        ("mine", ["lr=1,2", "seed=0"], []),
        (
            "mine",
            ["results_dir=elsewhere", "experiment_id=its", "lr=1,2"],
            ["results_dir=elsewhere", "experiment_id=its"],
        ),
        ("lr${lr}", ["lr=1", "seed=0"], ["lr=1", "seed=0"]),
        ("???", ["experiment_id=its", "lr=1"], ["experiment_id=its"]),
        ("${needed}", ["+needed=its", "lr=1"], ["+needed=its", "lr=1"]),
    ],
)
def test_command_for_an_experiment_has_only_what_names_it(
    experiment: str, given: list[str], kept: list[str], tmp_path: Path
) -> None:
    """All overrides, if the experiment depends on another one."""
    (tmp_path / "config.yaml").write_text(
        f"results_dir: results\nexperiment_id: {experiment}\nlr: 0.1\nseed: 0\n"
        "orch: {command: [echo]}\n"
    )
    words = options(*given, folder=str(tmp_path))
    assert options_of_experiment(words).overrides == kept


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (["run", "lr=1,2", "--workers=3"], "orch run lr=1,2"),
        (["run", "lr=1,2", "--halving=v/loss:min:3"], "orch run lr=1,2 orch.halving=v/loss:min:3"),
        (["run", "orch.halving=a:min:3", "--halving=none"], "orch run orch.halving=none"),
        (["rerun", "0123", "lr=1"], "orch rerun 0123 lr=1"),
        (["rerun", "--where", "lr == 1"], "orch rerun --where 'lr == 1'"),
        (["rerun", "--where", "api_key=hf_abcdefghijklmnopqrstuvwxyz012345"], "api_key=***"),
    ],
)
def test_command_is_recorded_as_it_was_typed(words: list[str], typed: str) -> None:
    """A rerun is not a run."""
    given = parse_arguments(words)
    if given.command == "rerun":
        separate_runs(given)
    assert typed in typed_command(given)
    assert "hf_" not in typed_command(given)


def test_command_of_another_program_is_recorded_as_its_own() -> None:
    """In which this one is a library, such as the launcher of Hydra's multirun."""
    given = parse_arguments(["run", "--app=train.py"])
    given.typed = ["python", "train.py", "-m", "lr=1,2", "api_key=abcDEF123456xyz"]
    assert typed_command(given) == "python train.py -m lr=1,2 'api_key=***'"
