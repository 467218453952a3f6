"""The settings of prepared work are opened where it is executed."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.settings_as_written import (
    open_settings,
    own_settings,
    resolve_written,
    settings_of,
    variables_of,
)
from orchestrator.errors import ConfigError
from orchestrator.grid.identity import Run, identify


@pytest.fixture
def run() -> Run:
    run = identify({"lr": 0.1}, {})
    return replace(run, written={"lr": 0.1, "orch": {"command": ["a"], "retries": 2}})


def test_only_what_a_run_has_for_itself_is_kept_with_it(run: Run) -> None:
    shared = settings_of(run)
    assert own_settings(run, shared) == {}
    assert own_settings(run, {**shared, "command": ["b"], "retries": 3}) == {"command": ["a"]}


def test_run_without_settings_has_none() -> None:
    assert settings_of(identify({"lr": 0.1}, {})) == {}


def test_settings_are_parsed_as_those_of_a_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRAM", "/bin/true")
    opened = open_settings({"command": ["${oc.env:PROGRAM}"], "retries": 2}, "work.json")
    assert (opened.program.command, opened.policy.retries) == (("/bin/true",), 2)
    with pytest.raises(ConfigError, match="has no setting 'retry'"):
        open_settings({"retry": 2}, "work.json")


def test_file_of_variables_is_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRAM", "")
    monkeypatch.delenv("PROGRAM")
    (tmp_path / ".env").write_text("PROGRAM=/bin/false\n")
    written = {"env_file": str(tmp_path / ".env"), "command": ["${oc.env:PROGRAM}"]}
    assert open_settings(written, "work.json").program.command == ("/bin/false",)  # type: ignore[arg-type]


def test_escaped_interpolations_stay_text() -> None:
    assert resolve_written({"text": r"\${x}"}, "config.yaml") == {"text": "${x}"}


def test_reference_that_cannot_be_resolved_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(ConfigError, match=r"^work\.json: .*variable NOWHERE is not set here"):
        open_settings({"command": ["${oc.env:NOWHERE}"]}, "work.json")


def test_variables_that_a_run_needs_are_those_without_a_default(run: Run, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("IN_FILE=1\n")
    written = {
        "a": "${oc.env:A}/b",
        "c": ["${oc.env: B }"],
        "d": "${oc.env:C,1}",
        "e": "${oc.env:IN_FILE}",
        "orch": {"env_file": str(tmp_path / "env")},
    }
    assert variables_of(replace(run, written=written)) == {"A", "B"}
