"""The setup of a project: its environment file and its modules."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from orchestrator.config import project_setup
from orchestrator.config.project_setup import (
    ProjectSetup,
    load_environment,
    load_modules,
    read_setup,
)
from orchestrator.errors import ConfigError, PreloadError


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the current folder of a test, whose modules are forgotten after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "overrides", "expected"),
    [
        ("a: 1", [], ProjectSetup()),
        ("orch: {setup: [a.b, c], env_file: .env}", [], ProjectSetup(".env", ("a.b", "c"))),
        ("orch: {setup: a}", [], ProjectSetup(None, ("a",))),
        ("orch: {setup: a}", ["orch.setup=[b,c]"], ProjectSetup(None, ("b", "c"))),
        ("orch: {setup: a}", ["~orch.setup"], ProjectSetup()),
        ("a: 1", ["+orch.setup=b", "+orch.env_file=x/.env"], ProjectSetup("x/.env", ("b",))),
        ("orch: {env_file: null, setup: null}", [], ProjectSetup()),
    ],
)
def test_setup_is_read_before_anything_is_composed(
    text: str, overrides: list[str], expected: ProjectSetup
) -> None:
    """From the primary config, or the command line."""
    given = OverridesParser.create().parse_overrides(overrides)
    assert read_setup(OmegaConf.create(text), given) == expected


@pytest.mark.parametrize("text", ["setup: 3", "setup: [3]", "setup: {a: b}", "env_file: [a]"])
def test_setup_of_another_type_is_refused(text: str) -> None:
    """With what to write instead."""
    with pytest.raises(ConfigError, match=r"orch\.(setup|env_file) is not a .* Write it as"):
        read_setup(OmegaConf.create(f"orch: {{{text}}}"), [])


def test_variables_that_are_set_take_precedence(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is what holds where nothing else is said, as in every other tool."""
    monkeypatch.setattr(os, "environ", {"SET": "here", "HOME": str(project)})
    (project / ".env").write_text("# a comment\nexport SET=there\nNEW='a b'\nREF=${NEW}/c\nEMPTY\n")
    load_environment("~/.env")
    assert os.environ == {"SET": "here", "HOME": str(project), "NEW": "a b", "REF": "a b/c"}


def test_file_that_is_not_there_is_an_error(project: Path) -> None:
    """It was asked for."""
    with pytest.raises(ConfigError, match=r"orch\.env_file: no\.env: No such file or directory\."):
        load_environment("no.env")
    (project / "latin").write_bytes(b"A=\xe4")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        load_environment("latin")


def test_list_of_settings_is_not_a_mapping() -> None:
    with pytest.raises(ConfigError, match=r"orch is not a mapping\. Write its settings as keys"):
        read_setup(OmegaConf.create({"orch": ["workers"]}), [])


def test_only_a_regular_file_is_read(project: Path) -> None:
    """A pipe was waited for, without a word."""
    os.mkfifo(project / "pipe")
    (project / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ConfigError, match=f"{name}: it is not a regular file"):
            load_environment(name)


def test_mark_of_windows_is_no_part_of_a_name(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {"HOME": str(project)})
    (project / ".env").write_bytes(b"\xef\xbb\xbfA=1\r\nB=2\r\n")
    load_environment(".env")
    assert (os.environ["A"], os.environ["B"]) == ("1", "2")


def test_modules_of_the_folder_are_found_and_hide_none_of_pythons(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they print does not stand among the output of a command."""
    (project / "random.py").write_text("raise RuntimeError('hidden')\n")
    (project / "pack").mkdir()
    (project / "pack/setup_it.py").write_text(
        "import random\nprint('hello')\nX = random.random()\n"
    )
    assert load_modules(["pack.setup_it"]) == ()
    assert sys.modules["pack.setup_it"].X < 1
    assert capsys.readouterr() == ("", "hello\n")


def test_folder_that_a_module_puts_first_comes_last_afterwards(project: Path) -> None:
    """What orch imports later must not come from it."""
    (project / "rooted_module.py").write_text(
        "import sys\nsys.path.insert(0, 'first')\nsys.path.append('last')\n"
    )
    before = [*sys.path]
    load_modules(["rooted_module"])
    assert sys.path == [*before, "first", str(project), "last"]


@pytest.mark.parametrize("text", ["1 / 0", "import sys; sys.exit(3)", "import nothing_like_it"])
def test_error_in_a_module_keeps_its_traceback(project: Path, text: str) -> None:
    """It is the user's own code."""
    (project / "broken_module.py").write_text(f"def f():\n    {text}\n\n\nf()\n")
    with pytest.raises(PreloadError) as error:
        load_modules(["broken_module"])
    said = str(error.value)
    assert said.startswith("orch.setup: broken_module cannot be imported.\nTraceback")
    assert "broken_module.py" in said


def test_module_that_another_one_hides_is_named(project: Path) -> None:
    """A module of ours may have the name of one of the user's."""
    (project / "trainer.py").write_text("x = 1\n")
    with pytest.raises(PreloadError, match=r"trainer/__init__\.py was imported, which hides"):
        load_modules(["trainer.nothing"])


def test_file_is_imported_with_the_modules_beside_it(project: Path) -> None:
    """As Python starts a script, but for a function of Hydra's that it calls."""
    (project / "src").mkdir()
    (project / "src/beside_it.py").write_text("x = 1\n")
    app = (
        "import hydra\nfrom beside_it import x\n@hydra.main(version_base=None)\n"
        "def main(cfg):\n    raise SystemExit(9)\nmain()\nDONE = x\n"
    )
    (project / "src/random.py").write_text(app)
    load_modules(["src/random.py"])
    assert sys.modules["_orch_setup_random"].DONE == 1
    (project / "src/fine_app.py").write_text(app)
    for _ in range(2):
        load_modules(["src/fine_app.py"])
    (project / "src/bad_app.py").write_text("1 / 0\n")
    with pytest.raises(PreloadError, match=r"src/bad_app\.py cannot be imported"):
        load_modules(["src/bad_app.py"])
    with pytest.raises(PreloadError, match=r"FileNotFoundError"):
        load_modules(["src/absent.py"])


def test_slow_module_is_named_with_its_time(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command imports it."""
    (project / "slow_module.py").write_text("")
    monkeypatch.setattr(project_setup, "_SLOW", -1.0)
    (note,) = load_modules(["slow_module"])
    assert note.startswith("importing slow_module took 0.0 s (orch.setup)")
