"""What the documentation tells a newcomer to write works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from run_files import Start, results_of
from user_modules import run_program

from trainer.callbacks.events import PARAMETERS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "trainer.md").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files of the guide, and nothing of ours."""
    for language, path, content in re.findall(
        r"```(\w+)\n# (\S+\.\w+)\n(.*?)```", GUIDE, re.DOTALL
    ):
        assert Path(path).suffix in (".py", ".yaml"), language
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    return tmp_path


def train_in(folder: str, run_dir: str) -> None:
    """Be `python -m trainer RUN_DIR` in the newcomer's folder."""
    os.chdir(folder)
    run_program(run_dir)


def test_modules_of_the_guide_run_under_orch_and_alone(folder: Path, start: Start) -> None:
    """A file next to `conf` is found by both programs, and its callback's number is reported."""
    command = re.findall(r"\$ orch (run .*)", GUIDE)[0].split()
    ended = subprocess.run(
        [sys.executable, "-m", "orchestrator", *command, "+orch.tracking.enabled=false"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    configs = [*(folder / "results/blobs/training").glob("*/config.yaml")]
    results = [results_of(config.parent) for config in configs]
    assert len(results) == 2
    assert all(each["final"]["model/norm"] > 0 for each in results)
    assert all(each["test"]["test/accuracy"] > 0.7 for each in results)
    alone = folder / "alone"
    alone.mkdir()
    (alone / "config.yaml").write_text(configs[0].read_text())
    assert start(train_in, str(folder), "alone") == 0
    assert results_of(alone)["digest"] == results[0]["digest"]


@pytest.mark.parametrize(
    ("file", "right", "wrong", "message"),
    [
        ("conf/config.yaml", "hidden:", "hiden:", "missing a required argument: 'hidden'"),
        ("conf/config.yaml", "my_modules.Net", "my_modules.Ned", "the nearest is my_modules.Net"),
        ("conf/config.yaml", "my_modules.Net", "modules.Net", "there is no module 'modules'"),
        ("my_modules.py", "import torch\n", "import torhc\n", "'torhc' (my_modules.py, line "),
        ("my_modules.py", "iteration_end", "epoch_end", "Did you mean 'cb_on_iteration_end'?"),
    ],
)
def test_mistake_of_a_newcomer_is_one_line(
    folder: Path, start: Start, file: str, right: str, wrong: str, message: str
) -> None:
    """Whether in a key, a name or the file itself, the line says where."""
    content = (folder / file).read_text()
    assert right in content
    (folder / file).write_text(content.replace(right, wrong))
    assert start(train_in, str(folder), "conf") == 2
    said = (folder / "conf/err.log").read_text()
    assert message in said
    assert said.count("\n") == 1


def test_guide_names_every_choice_and_every_event() -> None:
    """What can be chosen stands in the table, what can be defined in the list."""
    for group in ("data", "model", "optimizer", "scheduler", "criterion", "curriculum", "metrics"):
        for path in (ROOT / "conf" / group).iterdir():
            assert re.search(rf"`{group}=.*{path.stem}`", GUIDE), path
    for event in PARAMETERS:
        assert f"def {event}(self, trainer" in GUIDE
