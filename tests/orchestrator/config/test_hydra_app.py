"""What the source of a Hydra app says of its config, without executing it."""

from pathlib import Path

import pytest

from orchestrator.config.hydra_app import find_app, find_app_function
from orchestrator.errors import ConfigError

BODY = "def main(cfg):\n    pass\n\nraise SystemExit('it was executed')\n"


def _app(folder: Path, head: str, name: str = "train.py", body: str = BODY) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"{head}\n{body}")
    return name


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("head", "folder", "name", "version_base"),
    [
        ("import hydra\n@hydra.main(version_base=None, config_path='conf', config_name='c')", "conf", "c", None),
        ("import hydra\n@hydra.main('conf', 'c', '1.2')", "conf", "c", "1.2"),
        ("import hydra\n@hydra.main('conf', config_name='c')", "conf", "c", "1.1"),
        ("import hydra as h\n@h.main(version_base='1.3', config_path='../c', config_name='x.yaml')", "../c", "x.yaml", "1.3"),
        ("from hydra import main as go\n@go(None, 'c', None)", None, "c", None),
        ("from hydra import main\n@main(config_name='c', version_base='1.1')", ".", "c", "1.1"),
        ("import hydra\n@hydra.main(config_name='c')", ".", "c", "1.1"),
        ("import hydra\n@hydra.main(version_base='1.3', config_name='c')", None, "c", "1.3"),
        ("import hydra.utils\n@hydra.main(version_base=None, config_path='a/b')", "a/b", None, None),
        ("import hydra\n@other\n@hydra.main(None, 'c', None)\n@more(1)", None, "c", None),
        ("import hydra, os\n@hydra.main(version_base=None, config_path='/abs', config_name=('c' 'd'))", "/abs", "cd", None),
    ],
)  # fmt: skip
def test_decorator_is_read_in_all_its_forms(
    tmp_path: Path, head: str, folder: str | None, name: str | None, version_base: str | None
) -> None:
    """By whatever name it is imported, with keywords and positions, and with Hydra's defaults."""
    app = find_app(_app(tmp_path, head))
    expected = None if folder is None else (tmp_path / folder).resolve()
    assert (app.config_dir, app.config_name, app.version_base) == (expected, name, version_base)
    assert (app.name, app.unknown) == ("train", ())


def test_names_and_paths_beside_the_file_are_read_too(tmp_path: Path) -> None:
    head = "import hydra\nfrom pathlib import Path\nCONF = Path(__file__).parent / 'c'\n"
    head += "NAME = 'x'\nBASE = '1.2'\n"
    decorator = "@hydra.main(config_path=str(CONF), config_name=f'{NAME}.yaml', version_base=BASE)"
    app = find_app(_app(tmp_path, head + decorator, "src/train.py"))
    expected = (tmp_path / "src/c", "x.yaml", "1.2")
    assert (app.config_dir, app.config_name, app.version_base) == expected
    assert app.unknown == ()


def test_call_without_a_decorator_is_read_as_well(tmp_path: Path) -> None:
    """As in a launcher of several functions."""
    body = "def go(cfg): ...\nif __name__ == '__main__':\n    hydra.main(None, 'c', None)(go)()\n"
    assert find_app(_app(tmp_path, "import hydra", body=body)).config_name == "c"


def test_config_of_a_package_is_found_without_importing_it(tmp_path: Path) -> None:
    """Its modules may load what they like."""
    _app(tmp_path, "raise SystemExit", "pack/__init__.py", body="")
    (tmp_path / "pack/conf/deep").mkdir(parents=True)
    head = "import hydra\n@hydra.main(version_base=None, config_path='pkg://{}', config_name='c')"
    for path in ("pack.conf.deep", "pack/conf/deep"):
        app = find_app(_app(tmp_path, head.format(path)))
        assert app.config_dir == tmp_path / "pack/conf/deep"
    with pytest.raises(
        ConfigError, match=r"no package for config_path 'pkg://nope\.x'.*--config-dir"
    ):
        find_app(_app(tmp_path, head.format("nope.x")))


@pytest.mark.parametrize("file", ["pack/deep/run.py", "pack/deep/run/__main__.py"])
def test_module_is_found_without_importing_its_package(tmp_path: Path, file: str) -> None:
    """Also one that stands for a package."""
    _app(tmp_path, "raise SystemExit", "pack/__init__.py", body="")
    _app(tmp_path, "import hydra\n@hydra.main('conf', 'c', None)", file)
    app = find_app("pack.deep.run")
    assert app.config_dir == (tmp_path / file).parent / "conf"
    assert app.name == "run"


@pytest.mark.parametrize(
    ("program", "head", "message"),
    [
        ("train.py", "import torch", r"train\.py has no @hydra\.main function.*orch\.command"),
        ("train.py", "import hydra\n@hydra.main(", r"train\.py, line \d: it is not Python"),
        ("nope.py", "", r"orch\.app: there is no file 'nope\.py' in /.*train\.py or package\.module"),
        ("no.module", "", r"there is no module 'no\.module'"),
        ("a b", "", r"there is no file 'a b'"),
        ("train.py", "import hydra\n@hydra.main('c', 'a')\ndef one(cfg): ...\n@hydra.main('c', 'b')",
         r"2 @hydra\.main functions\. Choose the one that it starts, by its config: --config-name"),
    ],
)  # fmt: skip
def test_what_is_not_an_app_is_one_line(
    tmp_path: Path, program: str, head: str, message: str
) -> None:
    """It says what to write instead."""
    _app(tmp_path, head)
    with pytest.raises(ConfigError, match=message) as refusal:
        find_app(program)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "unknown"),
    [
        ("config_path=DIR, config_name='c'", {"config_path"}),
        ("config_path=f'{DIR}/x', config_name=NAME", {"config_path", "config_name"}),
        ("*ARGS", {"config_path", "config_name", "version_base"}),
        ("config_name='c', **MORE", {"config_path", "config_name", "version_base"}),
        ("config_path=os.environ['CONF'], config_name='c'", {"config_path"}),
    ],
)
def test_what_is_not_a_constant_is_named_with_its_line(
    tmp_path: Path, arguments: str, unknown: set[str]
) -> None:
    """Nothing is executed to find it out."""
    app = find_app(_app(tmp_path, f"import hydra\n@hydra.main({arguments})"))
    found = dict(app.unknown)
    assert found.keys() == unknown
    assert all(text.startswith("train.py, line 2: ") for text in found.values())


def test_function_of_an_entry_point_is_told_from_others(tmp_path: Path) -> None:
    """A function without the decorator, or without source, is not an app."""
    _app(
        tmp_path, "import hydra\ndef other(): ...\n@hydra.main('conf', 'c', None)", "deep/train.py"
    )
    app = find_app_function("deep.train:main")
    assert app is not None
    assert app.config_name == "c"
    assert find_app_function("deep.train:other") is None
    assert find_app_function("deep.nothing:main") is None
    assert find_app_function("sys:exit") is None


def test_app_of_several_is_chosen_by_its_config(tmp_path: Path) -> None:
    """With or without the extension."""
    head = "import hydra\n@hydra.main('c', 'a.yaml')\ndef one(cfg): ...\n@hydra.main('c', 'b')"
    program = _app(tmp_path, head)
    assert find_app(program, "a").config_name == "a.yaml"
    assert find_app(program, "b.yaml").config_name == "b"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("@hydra.main('c', 'a')\ndef main(cfg): ...\nmain()", "is called in line 4 whenever"),
        ("def main(cfg): ...\nhydra.main('c', 'a')(main)()", "an app in line 3 of train.py only"),
        ("def cli():\n  @hydra.main('c', 'a')\n  def main(cfg): ...", "in line 3 of train.py only"),
        ("@hydra.main('c', 'a')\ndef main(cfg): ...\nif __name__ == '__main__':\n  main()", ""),
        ("def go(cfg): ...\nmain = hydra.main('c', 'a')(go)", ""),
        ("try:\n  @hydra.main('c', 'a')\n  def main(cfg): ...\nfinally: pass", ""),
    ],
)
def test_function_that_cannot_be_called_is_refused(tmp_path: Path, text: str, line: str) -> None:
    """Before the first run, in one line that says what to change."""
    (tmp_path / "train.py").write_text(f"import hydra\n{text}\n")
    if line:
        with pytest.raises(ConfigError, match=line):
            find_app_function("train:main")
    else:
        app = find_app_function("train:main")
        assert app is not None
        assert app.config_name == "a"
