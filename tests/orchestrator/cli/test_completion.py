"""A shell is told what may stand where the cursor is, from files alone and at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.completion import candidates, print_candidates

CONFIG = """\
defaults: [{model: small}, {/db@source: local}, _self_]
results_dir: results
experiment_id: mine
nesterov: true
optimizer: {lr: 0.1, betas: [0.9, 0.99]}
"""
IDS = ["50021b22aaaaaaaa", "5b99bd4abbbbbbbb", "5b99bd4acccccccc"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {
        "config.yaml": CONFIG,
        "other.yaml": "experiment_id: elsewhere\n",
        "model/small.yaml": "hidden: 8\n",
        "model/wide.yaml": "hidden: 64\nheads: 2\n",
        "db/local.yaml": "url: x\n",
        "broken/torn.yaml": "{",
    }.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for run_id in (*IDS, ".new-1234", "5b99"):
        (tmp_path / "results/mine/training" / run_id).mkdir(parents=True)
    (tmp_path / "results/elsewhere/training" / IDS[0]).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complete(line: str) -> list[str]:
    *words, current = line.split(" ")
    return candidates(words[1:], current)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("orch st", ["stop", "status"]),
        ("orch --vers", ["--version"]),
        ("orch run --work", ["--workers"]),
        ("orch status --state st", ["stale"]),
        ("orch status --state=st", ["--state=stale"]),
        ("orch plan --config-dir=con", ["--config-dir=conf/"]),
        ("orch run --workers=", []),
        ("orch run --workers ", []),
        ("orch completion z", ["zsh"]),
        ("orch results --over opt", ["optimizer.lr", "optimizer.betas"]),
        ("orch plot --heat ne", ["nesterov"]),
        ("orch plot --x=ne", ["--x=nesterov"]),
        ("orch status experiment_id=", ["experiment_id=elsewhere", "experiment_id=mine"]),
        ("orch run model=", ["model=small", "model=wide"]),
        ("orch run model=w", ["model=wide"]),
        ("orch run model=wide,", ["model=wide,small"]),
        ("orch run +db=", ["+db=local"]),
        ("orch run nest", ["nesterov="]),
        ("orch run nesterov=", ["nesterov=true", "nesterov=false"]),
        ("orch run optimizer.l", ["optimizer.lr="]),
        ("orch run model.", ["model.hidden="]),
        ("orch run model=wide model.", ["model.hidden=", "model.heads="]),
        ("orch run lr=", []),
        ("orch show 5", ["50021b22aaaaaaaa", "5b99bd4abbbbbbbb", "5b99bd4acccccccc"]),
        ("orch show 5002", ["50021b22"]),
        ("orch diff 5002 5b99bd4ac", ["5b99bd4acccccccc"]),
        ("orch show experiment_id=elsewhere 5", ["50021b22"]),
        ("orch -cn other show 5", ["50021b22"]),
        ("orch show experiment_id=none 5", []),
        ("orch status results/", ["results/elsewhere/", "results/mine/"]),
        ("orch plan --config-dir con", ["conf/"]),
        ("orch init res", ["results/"]),
        ("orch ~/nowhere", []),
    ],
)
def test_words_that_may_stand_there_are_found(line: str, found: list[str]) -> None:
    assert complete(line) == found


def test_hidden_folders_are_offered_only_when_a_dot_is_typed(folder: Path) -> None:
    (folder / ".git").mkdir()
    assert "./.git/" not in complete("orch init ./")
    assert complete("orch init .g") == [".git/"]


def test_folder_without_a_config_has_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run IDs of all experiments, where it is not known which is meant."""
    (tmp_path / "conf/config.yaml").unlink()
    assert complete("orch show 5002") == ["50021b22"]
    monkeypatch.chdir("/")
    assert complete("orch run lr") == []


def test_config_of_an_app_is_found_by_its_program(folder: Path) -> None:
    (folder / "conf").rename(folder / "settings")
    (folder / "train.py").write_text(
        "import hydra\n@hydra.main(version_base=None, config_path='settings', config_name='config')\n"
        "def main(cfg): ...\n"
    )
    assert complete("orch run --app train.py nest") == ["nesterov="]


def test_bash_gets_what_follows_the_last_break_of_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_candidates(["bash", "orch run model=sm"])
    assert capsys.readouterr().out == "small\n"
    print_candidates(["bash", "orch run model='sm"])
    assert capsys.readouterr().out == "small\n"
    print_candidates(["bash", "orch run 'model=sm"])
    assert capsys.readouterr().out == "model=small\n"
    print_candidates(["fish", "orch run 'model=sm"])
    assert capsys.readouterr().out == "model=small\n"


@pytest.mark.parametrize("arguments", [[], ["bash"], ["bash", "orch run --app none.py x"]])
def test_nothing_is_offered_when_something_is_wrong(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    print_candidates(arguments)
    assert "nesterov" not in capsys.readouterr().out


@pytest.mark.parametrize("value", ["!!timestamp 2001", "!!bool x", "!!int ''"])
def test_config_with_a_value_that_cannot_be_read_has_no_keys(
    folder: Path, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "conf/config.yaml").write_text(f"nesterov: {value}\n")
    print_candidates(["bash", "orch plan nest"])
    assert capsys.readouterr() == ("", "")


def test_name_that_a_shell_would_execute_is_not_offered(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("$(touch pwned)", "a b", "`id`", "good"):
        (folder / "results" / name).mkdir()
    print_candidates(["bash", "orch status results/"])
    assert capsys.readouterr().out.split("\n")[:-1] == [
        "results/elsewhere/",
        "results/good/",
        "results/mine/",
    ]


def test_hydra_and_drawing_are_not_imported() -> None:
    """That would take longer than a user waits for a key."""
    code = (
        "import sys; from orchestrator.cli.completion import print_candidates as tell;"
        "tell(['bash', 'orch run optimizer.']);"
        "assert not {'hydra', 'omegaconf', 'rich', 'mlflow', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "optimizer.lr=\noptimizer.betas=\n"
