"""A Hydra app is run as it is: its config needs no key of orch."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.command_placeholders import fill_in
from orchestrator.config.load import load_experiment
from orchestrator.errors import ConfigError
from orchestrator.grid.config_values import look_up
from orchestrator.planning.load import ConfigSource, load_plan

APP = """
from dataclasses import dataclass
import hydra

@hydra.main(version_base={version_base!r}, config_path={folder!r}, config_name="main")
def main(cfg): ...
"""
CONFIG = "defaults: [_self_, opt: sgd]\nlr: 0.1\nseed: 0\n"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIRTUAL_ENV", "/venv")
    _write(tmp_path, "src/train.py", APP.format(version_base="1.3", folder="../conf"))
    _write(tmp_path, "conf/main.yaml", CONFIG)
    _write(tmp_path, "conf/opt/sgd.yaml", "momentum: 0\n")
    _write(tmp_path, "conf/opt/adam.yaml", "betas: [0.9]\n")


def _write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def _commands(*overrides: str, app: str = "src/train.py", **source: Any) -> Any:
    """Return the plan, and the command of each run."""
    place = {"folder": None, "name": None} | source
    planned = load_plan(ConfigSource(place["folder"], place["name"], overrides, app))
    program = planned.settings.program
    runs = [decision.run for decision in planned.plan.decisions]
    return planned, [
        fill_in(program.command or (), run, planned.experiment.training / run.run_id)
        for run in runs
    ]


def test_app_needs_nothing_but_its_name(tmp_path: Path) -> None:
    """Its overrides reach it as they were typed, and each run has an output folder of its own."""
    planned, commands = _commands("lr=0.5,'0.5'", "opt=adam", "+new=[a, 1]", "orch.workers=2")
    assert planned.plan.directory == "results/train/training"
    assert planned.settings.share.workers == 2
    for decision, command, lr in zip(
        planned.plan.decisions, commands, ["0.5", "'0.5'"], strict=True
    ):
        run_dir = tmp_path / planned.plan.directory / decision.run.run_id
        assert command == (
            *("python", "src/train.py", f"lr={lr}", "opt=adam", "+new=[a, 1]"),
            *(f"hydra.run.dir={run_dir}/output", "hydra.mode=RUN"),
        )
        assert decision.run.config["opt"] == {"betas": [0.9]}


@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_settings_of_orch_need_no_key_in_the_config_of_an_app(sign: str) -> None:
    """With and without a plus, and none of them reaches the app."""
    planned, commands = _commands(
        f"{sign}results_dir=r",
        f"{sign}experiment_id=e",
        f"{sign}orch.tracking.enabled=false",
        f"{sign}orch.identity.exclude=[seed]",
        f"{sign}_filters=['lr == 1 ! seed == 0']",
        "lr=1,2",
    )
    assert planned.plan.directory == "r/e/training"
    assert not planned.settings.tracking.enabled
    assert planned.plan.selection.filters[0].excluded == 1
    assert [command[2:-2] for command in commands] == [("lr=2",)]


def test_names_that_an_app_has_itself_are_its_own(tmp_path: Path) -> None:
    """They are passed to it, and have no defaults."""
    _write(tmp_path, "conf/main.yaml", f"{CONFIG}results_dir: mine\nexperiment_id: ???\n")
    planned, commands = _commands("experiment_id=e")
    assert planned.plan.directory == "mine/e/training"
    assert commands[0][2:-2] == ("experiment_id=e",)


def test_config_may_name_its_app_itself(tmp_path: Path) -> None:
    """Then the folder and the name are those of the command line, and the app is told of others."""
    _write(tmp_path, "conf/main.yaml", f"{CONFIG}orch: {{app: src/train.py}}\n")
    _, commands = _commands("lr=1", app="", folder=Path("conf"), name="main")
    assert commands[0][:-2] == ("python", "src/train.py", "lr=1")
    _write(tmp_path, "more/config.yaml", "lr: 1\norch: {app: src/train.py}\n")
    _, commands = _commands(app="", folder=Path("more"), name="config")
    assert commands[0][2:-2] == ("--config-path=../more", "--config-name=config")


def test_module_is_run_as_a_module(tmp_path: Path) -> None:
    """As ``python -m`` does."""
    _write(tmp_path, "pack/run.py", APP.format(version_base=None, folder="../conf"))
    planned, commands = _commands(app="pack.run")
    assert commands[0][:3] == ("python", "-m", "pack.run")
    assert planned.plan.experiment_id == "run"


def test_command_and_entry_point_take_precedence(tmp_path: Path) -> None:
    """For ``torchrun`` and the like; a function of an app gets the overrides in its arguments."""
    _, commands = _commands('orch.command=[torchrun,src/train.py,"{overrides}"]', "lr=1")
    assert commands == [("torchrun", "src/train.py", "lr=1")]
    planned, _ = _commands("orch.entry_point=src.train:main", "lr=1")
    assert planned.settings.program.command is None
    arguments = ("{overrides}", "hydra.run.dir={run_dir}/output", "hydra.mode=RUN")
    assert planned.settings.program.arguments == arguments
    named = load_experiment(tmp_path / "conf", "main", ["orch.entry_point=src.train:main"])
    assert named.settings.program.arguments == arguments
    assert named.experiment_id == "train"


def test_interpreter_is_that_of_the_active_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the one that runs orch, which knows Hydra."""
    assert _commands()[1][0][0] == "python"
    monkeypatch.delenv("VIRTUAL_ENV")
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    assert _commands()[1][0][0].startswith("/")


def test_what_cannot_be_read_from_the_source_may_be_given(tmp_path: Path) -> None:
    """The error says how, and then the app is told of it."""
    text = APP.format(version_base=None, folder="x").replace("'x'", "FOLDER")
    _write(tmp_path, "src/train.py", text)
    with pytest.raises(ConfigError, match=r"line 5: config_path .* --config-dir\."):
        _commands()
    _, commands = _commands(folder=Path("conf"))
    assert commands[0][2:-2] == ("--config-path=../conf",)
    _write(tmp_path, "src/train.py", text.replace('"main"', "NAME"))
    with pytest.raises(ConfigError, match=r"config_name .* --config-name\."):
        _commands(folder=Path("conf"))
    _, commands = _commands(folder=Path("conf"), name="main")
    assert commands[0][2:-2] == ("--config-path=../conf", "--config-name=main")
    _write(tmp_path, "src/train.py", "import hydra\n@hydra.main('../conf')\ndef main(cfg): ...\n")
    with pytest.raises(ConfigError, match=r"has no config_name .* --config-name\."):
        _commands()


@pytest.mark.parametrize(
    ("version_base", "package"), [("1.1", "opt.sgd"), ("1.2", "opt._name_"), (None, "opt._name_")]
)
def test_app_is_composed_by_the_rules_of_its_own_version(
    tmp_path: Path, version_base: str | None, package: str
) -> None:
    """Of 1.1, configs may name their package by their own name."""
    _write(tmp_path, "src/train.py", APP.format(version_base=version_base, folder="../conf"))
    _write(tmp_path, "conf/main.yaml", "defaults: [_self_, opt: sgd]\norch: {app: src/train.py}\n")
    _write(tmp_path, "conf/opt/sgd.yaml", "# @package opt._name_\nlr: 7\n")
    for source in ({"app": "src/train.py"}, {"app": "", "folder": Path("conf"), "name": "main"}):
        planned, _ = _commands(**source)
        assert look_up(planned.plan.decisions[0].run.config, package) == {"lr": 7}


def test_folder_with_any_characters_reaches_hydra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output folder is quoted where Hydra's grammar would not read it."""
    folder = tmp_path / "né a's"
    (tmp_path / "src").rename(folder / "src") if folder.mkdir() else None
    _write(folder, "src/train.py", APP.format(version_base=None, folder="../conf"))
    _write(folder, "conf/main.yaml", "lr: 1\n")
    monkeypatch.chdir(folder)
    planned, commands = _commands()
    run_dir = str(folder / planned.plan.directory / planned.plan.decisions[0].run.run_id)
    escaped = run_dir.replace("'", "\\'")
    assert commands[0][2] == f"hydra.run.dir='{escaped}/output'"


def test_app_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """Wherever it is named."""
    with pytest.raises(ConfigError, match=r"there is no file 'nope\.py'"):
        load_experiment(tmp_path / "conf", "main", ["orch.app=nope.py", "lr=1"])
