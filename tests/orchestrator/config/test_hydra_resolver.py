"""What stands for Hydra's own values and settings in a config that no Hydra program runs."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from orchestrator.config.load import load_experiment
from orchestrator.errors import ConfigError
from orchestrator.grid.axes import expand
from orchestrator.grid.identity import Run
from orchestrator.planning.load import ConfigSource, load_plan, open_experiment

PRIMARY = """\
defaults: [{model: a}, {sub/part: x}, _self_]
results_dir: results
experiment_id: e
lr: 1
"""


def _folder(path: Path, text: str) -> Path:
    for name in ("model/a", "model/b", "sub/part/x"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / f"{name}.yaml").write_text(f"name: {name}\n")
    (path / "config.yaml").write_text(PRIMARY + text)
    return path


def _configs(path: Path, text: str, *overrides: str) -> list[Any]:
    experiment = load_experiment(_folder(path, text), "config", overrides)
    return [experiment.composer.resolve(point) for point in expand(experiment.axes)]


@pytest.mark.parametrize(
    "key",
    [
        "runtime.cwd",
        "runtime.choices.model",
        "runtime.choices.sub/part",
        "runtime.version",
        "job.name",
        "job.config_name",
    ],
)
def test_values_are_those_that_hydra_gives(tmp_path: Path, key: str) -> None:
    """Hydra itself is asked, with its settings kept."""
    text = f"x: '${{hydra:{key}}}'\ny: 'a/${{hydra:{key}}}/b'\n"
    (config,) = _configs(tmp_path, text, "model=b")
    with initialize_config_dir(str(tmp_path), version_base=None):
        cfg = compose("config", ["model=b"], return_hydra_config=True)
        expected = OmegaConf.select(cfg, f"hydra.{key}")
    assert config["x"] == expected
    assert config["y"] == f"a/{expected}/b"


def test_choices_are_those_of_each_run(tmp_path: Path) -> None:
    """Also in what an override refers to, and beside axes that are set quickly."""
    configs = _configs(
        tmp_path, "x: 0\n", "x='${hydra:runtime.choices.model}'", "model=a,b", "lr=1,2"
    )
    assert [config["x"] for config in configs] == ["a", "a", "b", "b"]


@pytest.mark.parametrize("overrides", [["model=b,a"], ["~sub/part"], ["hydra.job.name=me"]])
def test_choices_together_are_all_that_hydra_has(tmp_path: Path, overrides: list[str]) -> None:
    """With those of its own groups, whatever else is set."""
    (config, *_) = _configs(tmp_path, "x: ${hydra:runtime.choices}\n", *overrides)
    with initialize_config_dir(str(tmp_path), version_base=None):
        typed = [each.partition(",")[0] for each in overrides]
        cfg = compose("config", typed, return_hydra_config=True)
    assert "hydra/launcher" in config["x"]
    assert config["x"] == cfg.hydra.runtime.choices


@pytest.mark.parametrize(
    ("text", "overrides", "name"),
    [
        ("orch: {command: [python, src/train.py, x.py]}", [], "train"),
        ("orch: {command: [python, -m, my.train, --x]}", [], "train"),
        ("orch: {entry_point: 'pack.fit:main'}", [], "fit"),
        ("orch: {command: [./run]}", [], "app"),
        ("orch: {command: [python, train.py]}", ["hydra.job.name=me"], "me"),
        ("hydra: {job: {name: you}}", [], "you"),
    ],
)
def test_job_is_named_as_hydra_names_it(
    tmp_path: Path, text: str, overrides: list[str], name: str
) -> None:
    """After the program, or as the config says."""
    (config,) = _configs(tmp_path, f"x: '${{hydra:job.name}}'\n{text}\n", *overrides)
    assert config["x"] == name


@pytest.mark.parametrize(
    ("text", "overrides", "ignored"),
    [
        (
            "hydra: {run: {dir: x}, job: {chdir: true, name: y}}",
            [],
            ("hydra.run.dir", "hydra.job.chdir"),
        ),
        (
            "hydra: {mode: MULTIRUN, job_logging: {version: 1}}",
            [],
            ("hydra.mode", "hydra.job_logging"),
        ),
        ("", ["hydra.launcher.x=1", "lr=2"], None),
        ("", ["hydra.run.dir=x"], ("hydra.run.dir",)),
        ("", ["hydra/job_logging=none", "hydra/hydra_logging=colorlog"], None),
        ("", ["hydra/job_logging=disabled"], ("hydra/job_logging",)),
        ("hydra: {sweeper: {params: {lr: '1,2'}}, searchpath: []}", ["hydra.job.name=z"], ()),
        ("hydra: {sweeper: {params: {lr: '1,2'}}}", [], ()),
    ],
)
def test_settings_of_hydra_that_do_nothing_are_named_once(
    tmp_path: Path, text: str, overrides: list[str], ignored: tuple[str, ...] | None
) -> None:
    """In the plan, all in one line; what Hydra does not know it refuses."""
    source = ConfigSource(_folder(tmp_path, text + "\n"), "config", overrides)
    if ignored is None:
        with pytest.raises(ConfigError):
            load_plan(source)
        return
    warnings = load_plan(source).plan.selection.warnings
    said = [warning for warning in warnings if "no effect" in warning]
    assert len(said) == bool(ignored)
    assert [name for name in ignored if name not in "".join(said)] == []


@pytest.mark.parametrize("key", ["results_dir", "experiment_id"])
@pytest.mark.parametrize("value", ["e${now:%Y}", "${stamp}", "e${.stamp}"])
def test_place_with_the_time_is_refused_by_all_commands(
    tmp_path: Path, key: str, value: str
) -> None:
    """Also by those that only read: they would look into another folder each time."""
    folder = _folder(tmp_path / "conf", "stamp: '${now:%Y}'\n")
    overrides = [f"{key}='{value}'", "+orch.identity.exclude=[stamp]"]
    with pytest.raises(ConfigError, match=f"{key} contains the time"):
        open_experiment(ConfigSource(folder, "config", overrides))


@pytest.mark.parametrize("key", ["", "a,b", "nope", "3", "runtime.nope"])
def test_what_hydra_does_not_have_is_one_line(tmp_path: Path, key: str) -> None:
    """Without a key, it was an error of a function of ours, or all of Hydra's config."""
    with pytest.raises(ConfigError, match=rf"orch has no \$\{{hydra:{key}\}}; write the value"):
        _configs(tmp_path, f"place: ${{hydra:{key}}}\n")


@pytest.mark.parametrize("key", ["runtime", ".job", "run", "sweep", "overrides"])
def test_mapping_of_which_a_part_differs_from_run_to_run_is_refused(
    tmp_path: Path, key: str
) -> None:
    """It lacked parts, or had them empty: the program would read what is not so."""
    told = rf"has no \$\{{hydra:{key}\}} as a whole, since {key.lstrip('.')}\.\w+ in it differs"
    with pytest.raises(ConfigError, match=told):
        _configs(tmp_path, f"place: ${{hydra:{key}}}\n")


def test_home_folder_may_be_written_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every shell reads it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = _folder(tmp_path, "")
    experiment = load_experiment(folder, "config", ["results_dir='~/runs'"])
    assert experiment.results_dir == tmp_path / "home/runs"
    (folder / "config.yaml").write_text("results_dir: ~/runs\nexperiment_id: e\n")
    assert load_experiment(folder, "config", []).results_dir == tmp_path / "home/runs"


def test_results_may_stand_in_the_current_folder(tmp_path: Path) -> None:
    """A folder without a name is one."""
    assert load_experiment(_folder(tmp_path, ""), "config", ["results_dir=."]).results_dir == Path()


def test_settings_in_a_group_of_the_config_folder_are_named_too(tmp_path: Path) -> None:
    """Many projects keep what they say of Hydra in ``hydra/default.yaml``."""
    folder = _folder(tmp_path, "")
    text = PRIMARY.replace("_self_", "{hydra: default}, _self_")
    (folder / "config.yaml").write_text(text)
    (folder / "hydra").mkdir()
    text = "run: {dir: x}\nsweep: {dir: y}\nsweeper: {params: {lr: '1,2'}}\n"
    (folder / "hydra/default.yaml").write_text(text)
    planned = load_plan(ConfigSource(folder, "config", []))
    assert len(planned.plan.decisions) == 2
    (said,) = [each for each in planned.plan.selection.warnings if "no effect" in each]
    assert said.startswith("hydra.run.dir, hydra.sweep.dir have no effect")


OWN = """\
paths: {out: '${hydra:runtime.output_dir}', cwd: '${hydra:runtime.cwd}'}
ckpt: ${paths.out}/ckpt
name: exp-${hydra:job.override_dirname}
typed: ${hydra:overrides.task}
parts: [1, {x: '${hydra:run.dir}/x'}]
verbose: ${hydra:verbose}
"""
GOLDEN = {"cd6e81f14de02b62", "c86970dce4e01c17"}  # a contract, as all run IDs
APP = """\
import hydra, json
from omegaconf import OmegaConf

@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    print(json.dumps(OmegaConf.to_container(cfg, resolve=True)))

main()
"""


def _runs(folder: Path, *overrides: str) -> Sequence[Run]:
    return load_plan(ConfigSource(folder, "config", overrides)).plan.selection.runs


@pytest.mark.parametrize(
    "settings",
    ["", "hydra: {job: {config: {override_dirname: {exclude_keys: [lr], kv_sep: '-'}}}}\n"],
)
def test_what_each_run_has_is_what_its_program_gets_from_hydra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    """Hydra itself composes the config of a run, in the output folder that the run has."""
    monkeypatch.chdir(tmp_path)
    folder = _folder(tmp_path / "conf", OWN + settings)
    (run,) = _runs(folder, "model=b", "lr=2")
    (tmp_path / "app.py").write_text(APP)
    output = tmp_path / "results/e/training" / run.run_id
    typed = [sys.executable, "app.py", "model=b", "lr=2", f"hydra.run.dir={output}"]
    printed = subprocess.run(typed, check=True, capture_output=True, text=True).stdout
    assert dict(run.config) == json.loads(printed)
    assert dict(run.written) == dict(run.config)


def test_what_each_run_has_does_not_count_for_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same grid elsewhere, written otherwise, has the same runs; what is added to it counts."""
    text = OWN.replace("cwd: '${hydra:runtime.cwd}'", "cwd: 1")
    ids = []
    for place, overrides in (("a", ["lr=1,2"]), ("b", ["lr=1,2", "model=a"]), ("b", ["lr=2,1"])):
        folder = _folder(tmp_path / place / "conf", text)
        monkeypatch.chdir(tmp_path / place)
        ids.append({run.run_id for run in _runs(folder, *overrides)})
    assert ids[0] == ids[1] == ids[2] == GOLDEN
    others = _runs(folder, "lr=1,2", "ckpt='${paths.out}/x'")
    assert ids[0].isdisjoint({run.run_id for run in others})


def test_output_folder_is_that_which_the_command_sets(tmp_path: Path) -> None:
    """Below the run directory, as the program gets it; a folder that cannot be known is not used."""
    for word, below in (("{run_dir}/out", "/out"), ("{run_dir}", ""), ("{lr}", "")):
        text = (
            f"out: ${{hydra:runtime.output_dir}}\norch: {{command: [x, 'hydra.run.dir={word}']}}\n"
        )
        folder = _folder(tmp_path, text)
        (run,) = _runs(folder, f"results_dir={tmp_path}/r")
        assert run.config["out"] == f"{tmp_path}/r/e/training/{run.run_id}{below}"


@pytest.mark.parametrize("key", ["results_dir", "experiment_id", "+orch.tracking.uri"])
def test_settings_of_all_runs_cannot_contain_what_each_has(tmp_path: Path, key: str) -> None:
    """Results would stand below themselves."""
    with pytest.raises(ConfigError, match=f"{key.lstrip('+')} contains a value of Hydra's"):
        _configs(tmp_path, "", f"{key}='x/${{hydra:sweep.dir}}'")
