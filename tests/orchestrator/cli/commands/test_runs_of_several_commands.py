"""One setting is one row, and has one name, whichever of several commands set it, and how."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from thinning import alternate_in_soak, others_in_soak

import orch
from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.lookup import source_of
from orchestrator.cli.main import call
from orchestrator.planning.load import load_plan
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status
from orchestrator.tracking.run_data import axis_tags, name_of

from .conftest import leave

FILES = {
    "config": "defaults: [{model: a}, {opt@best: sgd}, {extra: null}, _self_]\n"
    "experiment_id: e\nlr: 0.1\nsizes: [1, 2]\nseed: 0\nname: run-${seed}\ndevice: cpu\n"
    "grid: {}\norch: {identity: {exclude: [device]}}\n",
    "model/a": "name: a\nwidth: 1\n",
    "model/twin": "width: 1\nname: a\n",
    "model/b": "name: b\nwidth: 1\nrate: 0.5\n",
    "model/c": "defaults: [{/opt@worst: adam}]\nname: c\nwidth: 1\n",
    "opt/sgd": "kind: sgd\n",
    "opt/adam": "kind: adam\n",
    "extra/fast": "# @package _global_\nlr: 0.9\nmodel: {width: 7}\n",
    "extra/grid": "# @package _global_\nhydra: {sweeper: {params: {model: 'a,b', seed: '0,1'}}}\n",
    "more/x": "on: true\n",
}
Project = Callable[..., int]
SEVERAL = {
    "a group and its default": (["model=a,b", "seed=0,1"], ["seed=2,3"]),
    "a key and its default": (["lr=0.1,0.2", "seed=0,1"], ["seed=2,3"]),
    "the other way round": (["seed=2,3"], ["lr=0.1,0.2", "seed=0,1"], ["seed=4", "model=b,a"]),
    "given once": (["lr=0.1", "seed=0,1"], ["lr=0.2", "seed=0,1"], ["seed=2,3"]),
    "a group given once": (["model=b", "seed=0,1"], ["model=a,b", "seed=2,3"], ["seed=4,5"]),
    "other order": (["seed=0,1", "lr=0.1,1"], ["lr=1.0,0.1", "seed=2,3"], ["seed=5,4", "lr=1"]),
    "an added key": (["+new=1,2", "seed=0,1"], ["seed=0,1"], ["+new=1", "seed=2"]),
    "an added group": (["+more=x", "seed=0,1"], ["seed=0,1"], ["+more=x", "seed=2"]),
    "a group in a package": (["opt@best=adam,sgd", "seed=0,1"], ["seed=2,3"]),
    "a default of another group": (
        ["model=a,c", "seed=0,1"],
        ["model=c", "opt@model.worst=adam,sgd", "seed=2,3"],
    ),
    "a key within the group": (
        ["model=a,b", "model.width=1,2", "seed=0,1"],
        ["model=b", "seed=2,3"],
        ["model.width=2", "seed=2"],
    ),
    "a global package": (["extra=fast", "seed=0,1"], ["lr=0.9", "model.width=7", "seed=2"], []),
    "two names of one config": (["model=twin", "seed=0,1"], ["model=a", "seed=2,3"], ["model=b"]),
    "lists": (["sizes=[1,2],[3]", "seed=0,1"], ["seed=2,3"], ["sizes=[1,2]", "seed=4"]),
    "an interpolation": (["lr='${model.width}',0.1", "seed=0,1"], ["lr=1", "seed=2"]),
    "not part of the identity": (["device=cuda", "seed=0,1"], ["device=cpu", "seed=2"], ["lr=3"]),
    "a config with a grid": (["extra=grid"], ["seed=2,3"]),
    "a deleted key": (
        ["lr=0.1,0.2", "seed=0,1"],
        ["~sizes", "lr=0.3", "seed=0,1"],
        ["~model.name"],
    ),
    "a deleted group": (["model=a,b", "seed=0"], ["~model", "lr=0.3", "seed=0,1"]),
    "a choice that was made equal": (
        ["model=a", "model.name=b", "+model.rate=0.5", "seed=0,1"],
        ["model=b", "lr=0.2", "seed=0,1"],
        ["model=b", "seed=0"],
    ),
    "text and numbers": (["lr=1,'1',null,'null'", "seed=0,1"], ["lr='1'", "seed=2"]),
    "no axes": (["seed=0"], ["seed=1"], ["lr=0.5"], ["lr=0.5", "seed=1"]),
}


WORDS = {
    "model": ["model=a,b", "model=b", "model=c", "model=twin", "model=twin,a", "~model"],
    "model.name": ["model.name=b", "model.name='1',1", "~model.name", "model.name=null,a"],
    "model.width": ["model.width=1,2", "model.width=7", "model.width='1'"],
    "model.rate": ["++model.rate=0.5", "++model.rate=null,1"],
    "lr": ["lr=0.1,1.0", "lr=0.9", "lr=1,'1'", "lr=null", "~lr", "lr='${seed}'"],
    "sizes": ["sizes=[1,2],[3]", "sizes=null", "sizes=['1',2]", "~sizes"],
    "opt@best": ["opt@best=adam,sgd", "opt@best=adam"],
    "extra": ["extra=fast"],
    "more": ["+more=x"],
    "new": ["+new=1,2", "+new=null", "+new=''", "+new={a:1,b:{c:2}}", "+new=true,'true'"],
    "device": ["device=cuda"],
}


def random_commands(number: int) -> list[list[str]]:
    """Return commands that give and sweep groups, values, null, text and numbers, and delete keys."""
    chance = random.Random(number)  # noqa: S311 # no secret
    commands = []
    for place in range(chance.randint(2, 4)):
        words = [chance.choice(WORDS[key]) for key in chance.sample([*WORDS], chance.randint(0, 3))]
        if "~model" in words:
            words = [word for word in words if not word.lstrip("+~").startswith("model.")]
        commands.append([*words, chance.choice([f"seed={place}", f"seed={place},{place + 1}"])])
    return commands


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes runs by several commands, and returns the experiment."""

    def make(commands: Sequence[Sequence[str]], version: str = "this") -> Path:
        for name, content in FILES.items():
            path = tmp_path / "conf" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        config = tmp_path / "conf/config.yaml"
        config.write_text(f"{config.read_text()}results_dir: {tmp_path}/results\n")
        for words in commands:
            where = ["--config-dir", str(tmp_path / "conf"), "plan", *words]
            planned = load_plan(source_of(parse_arguments(where)))
            planned.experiment.prepare()
            for decision in planned.plan.decisions:
                if planned.experiment.run(decision.run.run_id).path.exists():
                    continue
                directory = planned.experiment.create(decision.run)
                status = Status(Record.DONE, 1, now(), "box", 1, ended_at=now(), exit_code=0)
                directory.write_status(status)
                leave(directory, loss=float(decision.run.config["seed"]))  # type: ignore[arg-type]
                if version == "earlier":
                    _forget(directory.identity)
        return tmp_path / "results/e/training"

    return make


def _forget(identity: Path) -> None:
    """Remove what earlier versions did not record."""
    record = json.loads(identity.read_text())
    assert {*record} >= {"given", "choices"}
    del record["given"], record["choices"]
    identity.write_text(json.dumps(record))


def _read(training: Path) -> dict[str, dict[str, Any]]:
    """Return the configs of runs, without what is not part of their IDs."""
    configs = {
        it.parent.name: yaml.safe_load(it.read_text()) for it in training.glob("*/config.yaml")
    }
    left_out = ("results_dir", "experiment_id", "device")
    return {
        run_id: {key: value for key, value in config.items() if key not in left_out}
        for run_id, config in configs.items()
    }


def _settings(training: Path) -> list[set[str]]:
    """Return the runs that differ only in their seed, as their configs say."""
    alike = defaultdict(set)
    for run_id, config in _read(training).items():
        del config["seed"], config["name"]
        alike[json.dumps(config, sort_keys=True).replace(".0,", ",")].add(run_id)
    return sorted(alike.values(), key=sorted)


@pytest.mark.parametrize("number", others_in_soak(range(200), range(5)))
def test_each_setting_of_random_commands_is_one_row(
    project: Any, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every fourth experiment, the runs were created by an earlier version."""
    check_settings(
        project(random_commands(number), "earlier" if number % 4 == 3 else "this"), capsys
    )


@pytest.mark.parametrize("version", ["this", "earlier"])
@pytest.mark.parametrize("commands", alternate_in_soak(SEVERAL.values(), first=1), ids=SEVERAL)
def test_each_setting_is_one_row_that_tells_it_from_the_others(
    project: Any, commands: Any, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows of ``orch results`` are those of an independent comparison of the configs."""
    check_settings(project(commands, version), capsys)


def check_settings(training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Assert that each setting is one row, with the values of its configs, which no other row has."""
    where = ["--config-dir", str(training.parents[2] / "conf")]
    assert call([*where, "results", "--all", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(({*row["run_ids"]} for row in told["rows"]), key=sorted) == _settings(training)
    labels = [json.dumps(row["overrides"], sort_keys=True) for row in told["rows"]]
    assert len({*labels}) == len(labels)
    configs = _read(training)
    for row in told["rows"]:
        for key, value in row["overrides"].items():  # the value that the configs have
            for config in (configs[run_id] for run_id in row["run_ids"]):
                found = config.get(key, value) if "." not in key else value
                assert found == value or isinstance(found, dict), key


@pytest.mark.parametrize("commands", alternate_in_soak(SEVERAL.values()), ids=SEVERAL)
def test_frame_has_a_group_per_setting(project: Any, commands: Any) -> None:
    """Its columns are keys of configs, so they are the same whichever command set them."""
    training = project(commands)
    frame = orch.load(training.parent).frame()
    left_out = ("state", "iteration", "loss", "seed", "name", "device")
    keys = [key for key in frame.columns if key not in left_out]
    parts = [part for _, part in frame.groupby(keys, dropna=False)] if keys else [frame]
    assert sorted(({*part.index} for part in parts), key=sorted) == _settings(training)


@pytest.mark.parametrize("commands", alternate_in_soak(SEVERAL.values(), first=1), ids=SEVERAL)
def test_no_run_lacks_a_value_that_its_config_has(
    project: Any, commands: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every run has a name of its own in ``orch status``, and no blank where its config has a value."""
    training = project(commands)
    where = ["--config-dir", str(training.parents[2] / "conf")]
    assert call([*where, "status", "--all"]) == 0
    header, *lines = [it for it in capsys.readouterr().out.splitlines() if it[:8].strip()][:-1]
    keys = header[: header.index("state")].split()[1:]
    assert len(lines) == len(_read(training))
    cells = {
        line[:8]: [line[header.index(key) :].split("  ")[0].strip() for key in keys]
        for line in lines
    }
    assert len({*map(tuple, cells.values())}) == len(lines)
    for run_id, config in _read(training).items():
        values = dict(zip(keys, cells[run_id[:8]], strict=True))
        assert all(values[key] for key in keys if key in config), run_id


def test_rows_of_one_grid_of_several_have_no_blanks(
    project: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Grids of one config need not have the same axes; that of pending runs counts as well."""
    training = project([])
    config = tmp_path / "conf/config.yaml"
    grids = "orch: {grids: [{model: 'a,b', seed: '0,1'}, {seed: '2,3'}]}\n"
    config.write_text(config.read_text().replace("orch: {identity: {exclude: [device]}}\n", grids))
    where = ["--config-dir", str(tmp_path / "conf")]
    for make in (False, True):
        if make:
            planned = load_plan(source_of(parse_arguments([*where, "plan"])))
            planned.experiment.prepare()
            for decision in planned.plan.decisions:
                planned.experiment.create(decision.run)
        assert call([*where, "results", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert [(row["overrides"], row["runs"]) for row in rows] == [
            ({"model": "a"}, 4),
            ({"model": "b"}, 2),
        ]
    assert len([*training.iterdir()]) == 6


def test_run_has_one_name_everywhere(
    project: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was given once is part of the name; settings of how runs are executed are not."""
    training = project([["lr=0.2", "model=b", "extra=grid", "orch.workers=2", "device=cuda"]])
    where = ["--config-dir", str(tmp_path / "conf")]
    (run,) = orch.load(training.parent).runs[:1]
    seed = run.config["seed"]
    assert repr(run).endswith(f"done seed={seed} model=b lr=0.2>")
    planned = load_plan(source_of(parse_arguments([*where, "plan"])))
    directory = planned.experiment.run(run.id)  # type: ignore[arg-type]
    assert name_of(directory) == f"seed={seed} model=b lr=0.2"
    assert axis_tags(directory) == {
        "orch.axis.seed": str(seed),
        "orch.axis.model": "b",
        "orch.axis.lr": "0.2",
    }
    assert call([*where, "show", run.id, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["overrides"], told["given"]) == ({"seed": seed}, {"lr": 0.2, "model": "b"})


def test_deleted_key_is_part_of_the_name(
    project: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run without it is not the one with the default."""
    training = project([["~lr", "seed=3", "model.name='1'"]])
    (run,) = orch.load(training.parent).runs
    assert repr(run).endswith('done ~lr seed=3 model.name="1">')
    directory = RunDirectory(run.path)
    assert name_of(directory) == '~lr seed=3 model.name="1"'
    assert axis_tags(directory)["orch.axis.lr"] == "(absent)"
    assert call(["--config-dir", str(tmp_path / "conf"), "show", run.id]) == 0
    assert capsys.readouterr().out.split("\n")[1].split() == ["~lr", "deleted"]


def test_condition_on_a_group_knows_its_default(
    project: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--where 'model == "a"'`` means every run whose model is a, not only those that swept it."""
    project([["model=a,b", "seed=0,1"], ["seed=2,3"]])
    where = ["--config-dir", str(tmp_path / "conf")]
    assert call([*where, "results", "--all", "--runs", "--json", "--where", 'model == "a"']) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 4


def test_secrets_that_were_given_are_in_no_name(project: Any) -> None:
    """Neither in the run directory's ``run.json``."""
    training = project([["+api_key=s3cr3t-hunter2", "seed=0,1"]])
    for path in training.glob("*/run.json"):
        assert "hunter2" not in path.read_text()
        assert json.loads(path.read_text())["given"] == {}
