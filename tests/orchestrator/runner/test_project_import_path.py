"""The user's modules are found, and hide nothing that is installed."""

import sys
from pathlib import Path

import pytest

from orchestrator.runner.project_import_path import (
    MissingModuleError,
    find_modules_of_the_project,
    hidden_file,
    import_named,
)


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


def test_name_that_no_file_can_have_is_missing() -> None:
    with pytest.raises(MissingModuleError, match="there is no module www"):
        import_named("w" * 300)


@pytest.mark.parametrize("inside", ["__init__.py", "mine.py", "mine/__init__.py"])
def test_package_of_the_folder_may_be_hidden_as_well(tmp_path: Path, inside: str) -> None:
    """With or without a file of its own; the folder is what has to be renamed."""
    path = tmp_path / "json" / inside
    path.parent.mkdir(parents=True)
    path.touch()
    name = "json" if inside == "__init__.py" else "json.mine"
    assert hidden_file(name).endswith(f"which hides {tmp_path / 'json'}. Rename that folder")
    with pytest.raises(MissingModuleError, match="Rename that folder"):
        import_named("json.mine")


def test_folder_that_has_nothing_of_that_name_is_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "json/data.txt").touch()
    assert hidden_file("json.mine") == ""


@pytest.mark.parametrize("name", ["nowhere_at_all", "nowhere_at_all.train", "json.nope"])
def test_module_that_is_nowhere_is_told_with_the_file_that_it_would_be(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / f"{name.replace('.', '/')}.py"
    with pytest.raises(MissingModuleError, match=f"no module {name}. Neither the file {file} nor"):
        import_named(name)


@pytest.mark.parametrize(
    "text", ["import nowhere_at_all", "from json import nope", "raise OSError"]
)
def test_error_of_a_module_that_is_there_is_its_own(tmp_path: Path, text: str) -> None:
    """Such as another module that it needs."""
    (tmp_path / "of_the_user.py").write_text(f"{text}\n")
    find_modules_of_the_project()
    with pytest.raises((ImportError, OSError)) as caught:
        import_named("of_the_user")
    assert not isinstance(caught.value, MissingModuleError)
