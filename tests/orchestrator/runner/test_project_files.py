"""Which files count as the code of a run, and their digests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.rundir import code_record
from orchestrator.runner import project_files
from orchestrator.runner.project_files import ImportedFiles, digests_of


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def found(folder: Path, *command: str) -> set[str]:
    return set(digests_of(command, str(folder), str(folder / "results/run")))


PROJECT = {
    "train.py": "import os, model\nfrom data.sets import (\n    digits,\n    letters,\n)\n",
    "model.py": "if True:\n    import layers as l  # late\n",
    "layers.py": "import model  # a circle\n",
    "unused.py": "",
    "data/__init__.py": "from . import paths\nfrom .sets import digits\n",
    "data/paths.py": "",
    "data/sets/__init__.py": "from ..paths import x\n",
    "data/sets/digits.py": "from ... import nothing\n",
    "data/sets/letters.py": "",
    "tools/start.sh": "python train.py\n",
    "lib/site-packages/os.py": "",
}
ALL = {
    *("train.py", "model.py", "layers.py", "data/__init__.py", "data/paths.py"),
    *("data/sets/__init__.py", "data/sets/digits.py", "data/sets/letters.py"),
}


@pytest.mark.parametrize(
    ("command", "files"),
    [
        (("python", "train.py", "lr=1"), ALL),
        (("python", "-u", "./train.py"), ALL),
        (("torchrun", "--nproc-per-node", "2", "train.py", "--x=unused.pyx"), ALL),
        (("sh", "-c", "cd . && exec python 'train.py' lr=1"), ALL),
        (("python", "-m", "train"), ALL),
        (
            ("python", "-m", "data"),
            {"data/__init__.py", "data/paths.py"}
            | {"data/sets/__init__.py", "data/sets/digits.py"},
        ),
        (("bash", "tools/start.sh"), {"tools/start.sh"}),
        (("python", "absent.py"), set()),
        (("true",), set()),
    ],
)
def test_scripts_of_a_command_and_what_they_import(
    tmp_path: Path, command: tuple[str, ...], files: set[str]
) -> None:
    """Whatever starts them; installed packages, and what nobody imports, do not count."""
    write(tmp_path, PROJECT)
    assert found(tmp_path, *command) == files


def test_modules_that_the_config_names_count(tmp_path: Path) -> None:
    """With what they import; a name that is not of the project does not."""
    write(tmp_path, PROJECT | {"nets/deep.py": "import layers\n"})
    objects = ["nets.deep.Net", "torch.nn.Linear", "", "..", "unused"]
    digests = digests_of(["python", "-c", "pass"], str(tmp_path), "/results", objects)
    assert set(digests) == {"nets/deep.py", "layers.py", "model.py", "unused.py"}


def test_script_elsewhere_counts_with_its_neighbours(tmp_path: Path) -> None:
    """By its path from the working directory."""
    write(tmp_path, {"src/train.py": "import model\n", "src/model.py": "", "work/x": ""})
    assert found(tmp_path / "work", "python", "../src/train.py") == {
        "../src/train.py",
        "../src/model.py",
    }


def test_what_is_in_the_run_directory_is_not_code(tmp_path: Path) -> None:
    """A program may be told to write a script there."""
    write(tmp_path, {"results/run/made.py": "", "train.py": ""})
    assert found(tmp_path, "python", "train.py", "results/run/made.py") == {"train.py"}


def test_change_of_a_file_changes_its_digest_and_no_other(tmp_path: Path) -> None:
    """Also one that this process has read before."""
    write(tmp_path, {"train.py": "import model\n", "model.py": "x = 1\n"})
    before = digests_of(["train.py"], str(tmp_path), "/results")
    write(tmp_path, {"model.py": "x = 21\n"})
    after = digests_of(["train.py"], str(tmp_path), "/results")
    assert {name for name in before if before[name] != after[name]} == {"model.py"}
    write(tmp_path, {"model.py": "x = 1\n"})
    os.utime(tmp_path / "model.py", (1, 1))
    assert digests_of(["train.py"], str(tmp_path), "/results") == before


@pytest.mark.parametrize(
    "content", [b"import \xff\n", b"\0", b"from import\nimport ,\n", b"import " * 999]
)
def test_script_that_is_not_python_is_no_error(tmp_path: Path, content: bytes) -> None:
    """It counts itself, and imports nothing."""
    (tmp_path / "train.py").write_bytes(content)
    assert found(tmp_path, "python", "train.py") == {"train.py"}


IMPORTER = """
import sys, os
from pathlib import Path
sys.path.append(os.getcwd())
import early
from orchestrator.runner.project_files import ImportedFiles, note_preloaded
note_preloaded()
Path("early.py").write_text("x = 'edited after it was imported'")
files = ImportedFiles(os.environ)
import late, edited
os.utime("edited.py", (2e9, 2e9))
os.chdir("/")
files.record()
"""


def test_process_records_what_it_has_imported_as_it_was(tmp_path: Path) -> None:
    """Of what was imported before the fork the digest of then; what was edited meanwhile has none."""
    write(tmp_path, dict.fromkeys(("early.py", "late.py", "edited.py", "other.py"), "x = 1\n"))
    for name in ("late.py", "edited.py"):
        os.utime(tmp_path / name, (1, 1))
    told = {"directory": str(tmp_path), "files": {}}
    code_record.begin(tmp_path, 1, json.dumps(told), {})
    environment = os.environ | {"ORCH_RUN_DIR": str(tmp_path), "ORCH_ATTEMPT": "1"}
    subprocess.run([sys.executable, "-c", IMPORTER], cwd=tmp_path, env=environment, check=True)
    (attempt,) = code_record.read(tmp_path)
    assert attempt["files"] == {
        "late.py": project_files.digest(str(tmp_path / "late.py")),
        "edited.py": None,
    }


def test_process_outside_a_run_records_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function may be called by anything."""
    monkeypatch.chdir(tmp_path)
    ImportedFiles({}).record()
    assert list(tmp_path.iterdir()) == []


def test_packages_of_this_project_do_not_count() -> None:
    """Not even where they are developed: the numbers of the trainer have a version of their own."""
    root = Path(project_files.__file__).parents[2]
    names = [os.path.relpath(path, root) for path in project_files.imported(str(root))]
    assert not [
        name for name in names if name.partition("/")[0] in ("orch", "orchestrator", "trainer")
    ]
