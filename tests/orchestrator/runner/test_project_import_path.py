"""The user's modules are found, and hide nothing that is installed."""

import sys
from pathlib import Path

import pytest

from orchestrator.runner.project_import_path import find_modules_of_the_project, hidden_file


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_current_folder_is_searched_last_and_once(tmp_path: Path) -> None:
    find_modules_of_the_project()
    find_modules_of_the_project()
    assert sys.path[-1] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


@pytest.mark.parametrize("name", ["json", "json.decoder", "sys"])
def test_file_that_an_installed_module_hides_is_named(tmp_path: Path, name: str) -> None:
    """Also where the hidden one is a package, or the other one is built into Python."""
    package = name.partition(".")[0]
    assert hidden_file(name) == ""
    (tmp_path / f"{package}.py").touch()
    assert f"which hides {tmp_path / package}.py. Rename that file" in hidden_file(name)
    assert name != "sys" or hidden_file(name).startswith(
        "the module sys that is built into Python was"
    )


def test_package_of_the_folder_may_be_hidden_as_well(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "json/__init__.py").touch()
    assert str(tmp_path / "json/__init__.py") in hidden_file("json")
