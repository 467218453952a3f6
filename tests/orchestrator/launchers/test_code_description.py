"""What a launcher tells the runner of an attempt about its code."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.command_placeholders import ARGUMENTS, COMMAND
from orchestrator.grid.identity import identify
from orchestrator.launchers.code_description import CodeDescription
from orchestrator.rundir.code_record import VARIABLE

RUN = identify({"lr": 0.1}, {"lr": 0.1})
PARTS = ("python", "train.py", "{lr}")


def described(**changed: Any) -> Any:
    code = CodeDescription("abc", is_dirty=True, user="ada", typed="orch run lr=0.1")
    named = {"run": RUN, "program": (COMMAND, PARTS), "arguments": ("python", "train.py", "0.1")}
    return json.loads(code.environment(**named | {"run_dir": "/run"} | changed)[VARIABLE])


def test_command_is_described_with_its_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As configured and as executed, with the folder and the commit."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").touch()
    found = described()
    assert [*found.pop("files")] == ["train.py"]
    assert found == {
        "program": [*PARTS],
        "command": ["python", "train.py", "0.1"],
        "directory": str(tmp_path),
        "commit": "abc",
        "dirty": True,
        "user": "ada",
        "typed": "orch run lr=0.1",
    }


def test_function_is_described_without_files() -> None:
    """Its process says at its end what it has imported."""
    program = (ARGUMENTS, ("{run_dir}",))
    found = described(program=program, arguments=("train.py",), entry_point="package.train:main")
    assert found["program"] == ["package.train:main", "{run_dir}"]
    assert found["files"] == {}


def test_run_with_a_command_of_its_own_does_not_say_how_it_is_configured() -> None:
    """It differs from run to run, which is not drift."""
    run = replace(RUN, config={"lr": 0.1, "orch": {"command": ["python", "other.py"]}})
    assert described(run=run)["program"] is None


def test_command_that_is_too_long_for_a_variable_is_left_out() -> None:
    """It can be executed nevertheless."""
    found = described(arguments=["echo", "x" * 120_000])
    assert (found["program"], found["command"]) == (None, None)
    assert found["commit"] == "abc"


def test_credentials_are_not_recorded() -> None:
    """In neither of the two forms."""
    argument = "api_key=hf_abcdefghijklmnopqrstuvwxyz012345"
    found = described(program=(COMMAND, (argument,)), arguments=(argument, "http://me:pass@host/x"))
    assert "hf_" not in json.dumps(found)
    assert "pass@" not in json.dumps(found)
