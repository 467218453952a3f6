"""``python train.py -m hydra/launcher=orch``: apps as users start them, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from thinning import others_in_soak

from orchestrator.planning.load import ConfigSource, load_plan
from orchestrator.rundir import code_record
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import State

ROOT = Path(__file__).parents[2]
TRAIN = """
import json, os, sys, time
from dataclasses import dataclass
from pathlib import Path

import hydra
from omegaconf import OmegaConf

OmegaConf.register_new_resolver("double", lambda value: 2 * value)


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    print(json.dumps({**OmegaConf.to_container(cfg), "swept": cfg.swept}), flush=True)
    with open("executed", "a") as file:
        file.write(f"{os.environ['ORCH_RUN_ID']} {os.getpid()}\\n")
    while Path("hold").exists():
        time.sleep(0.01)
    if cfg.lr > 5:
        raise ValueError("lr is too large")
    return cfg.lr * cfg.width, cfg.name


if __name__ == "__main__":
    main()
"""
CONFIG = """
defaults: [{model: mlp}, _self_]
lr: 0.1
width: 8
name: a
wide: ${double:${width}}
swept: ${hydra:sweep.dir}/${hydra:sweep.subdir}
"""
# It asks for a batch, and chooses the next one by what that has returned, as Optuna's does.
SWEEPER = """
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper


class Descent(Sweeper):
    def setup(self, *, hydra_context, task_function, config):
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        best = 3.0
        for number in range(3):
            batch = [[*arguments, f"lr={best}"], [*arguments, f"lr={best / 2}"]]
            jobs = self.launcher.launch(batch, initial_job_idx=2 * number)
            best = min(job.return_value[0] for job in jobs) / 8
        print("best", best, [str(job.status) for job in jobs], jobs[0].cfg.width)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the folder of an app with a resolver of its own."""
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/hydra/sweeper").mkdir(parents=True)
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "conf/config.yaml").write_text(CONFIG)
    (tmp_path / "hydra_plugins/descent.py").write_text(SWEEPER)
    (tmp_path / "conf/hydra/sweeper/descent.yaml").write_text(
        "_target_: hydra_plugins.descent.Descent\n"
    )
    for name in ("mlp", "cnn"):
        (tmp_path / f"conf/model/{name}.yaml").write_text(f"kind: {name}\n")
    return tmp_path


def begin(project: Path, *words: str) -> subprocess.Popen[str]:
    """Begin a multirun with the launcher."""
    path = os.pathsep.join(map(str, (ROOT / "hydra_launcher", project, ROOT)))
    environment = {name: value for name, value in os.environ.items() if name != "ORCH_RUN_DIR"}
    return subprocess.Popen(
        [sys.executable, "train.py", "-m", *words, "hydra/launcher=orch"],
        cwd=project,
        env=environment | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def launch(project: Path, *words: str) -> tuple[str, int]:
    """Carry a multirun out; return what was printed, and the exit code."""
    with begin(project, *words) as process:
        said, _ = process.communicate(timeout=120)
    return said, process.returncode


def executed(project: Path) -> list[str]:
    """Return the runs that were begun, in order."""
    path = project / "executed"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def experiment(project: Path, name: str = "train") -> ExperimentDirectory:
    return ExperimentDirectory(project / "results", name)


def test_each_point_is_executed_once_and_its_return_value_recorded(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the runs of ``orch run --app``, with what Hydra's grammar can say; typed again, none is."""
    points = ("lr=0.1,1e-3,0.1", "model=cnn,mlp", "name='x, y=[z]'", "+new={a:[1,b]}")
    said, code = launch(project, *points, "hydra.launcher.workers=2")
    assert code == 0, said
    assert "results are in results/train/training; orch status --app=train.py shows them" in said
    assert "4 of 4 runs are done" in said
    monkeypatch.chdir(project)
    OmegaConf.register_new_resolver("double", lambda value: 2 * value, replace=True)
    planned = load_plan(ConfigSource(None, None, points, "train.py"))
    assert set(executed(project)) == {each.run.run_id for each in planned.plan.decisions}
    assert len(executed(project)) == 4
    for directory in experiment(project).runs():
        config = directory.read_config()
        found = json.loads(directory.attempt_logs()[0].read_text().splitlines()[0])
        assert (found["name"], found["new"]) == ("x, y=[z]", {"a": [1, "b"]})
        assert (found["model"], found["swept"]) == (config["model"], config["swept"])
        value = json.loads((directory.path / "return_value.json").read_text())
        assert value == {"value": [config["lr"] * 8, "x, y=[z]"]}
        assert "train.py -m lr=0.1,1e-3,0.1 model" in code_record.read(directory.path)[0]["typed"]
    said, code = launch(project, *points)
    assert code == 0, said
    assert "Nothing to do" in said
    assert len(executed(project)) == 4


def test_failed_point_is_one_line_and_only_it_is_repeated(project: Path) -> None:
    """The others of its batch are done."""
    said, code = launch(project, "lr=9,1", "hydra.launcher.experiment_id=other")
    assert code == 1
    assert "attempt 1 failed, error: ValueError: lr is too large" in said
    assert "Traceback" not in said
    states = {each.observe().state for each in experiment(project, "other").runs()}
    assert states == {State.DONE, State.FAILED}
    assert launch(project, "lr=9,1", "hydra.launcher.experiment_id=other")[1] == 1
    assert len(executed(project)) == 3


def test_sweeper_gets_return_values_batch_after_batch(project: Path) -> None:
    """Those that are recorded as well: the same sweep again executes nothing."""
    words = ("hydra/sweeper=descent", "width=4", "hydra.launcher.quiet=true")
    said, code = launch(project, *words)
    assert code == 0, said
    best = "best 0.046875 ['JobStatus.COMPLETED', 'JobStatus.COMPLETED'] 4"
    assert best in said
    begun = len(executed(project))
    said, code = launch(project, *words)
    assert best in said
    assert len(executed(project)) == begun == 6


def test_config_folder_and_name_of_the_command_line_are_known(project: Path) -> None:
    """The app gets them as well."""
    (project / "more/model").mkdir(parents=True)
    (project / "more/model/big.yaml").write_text("kind: big\n")
    (project / "conf/other.yaml").write_text(CONFIG.replace("name: a", "name: other"))
    words = ("--config-dir=more", "-cn", "other", "model=big", "hydra.job.chdir=false")
    said, code = launch(project, *words)
    assert code == 0, said
    (directory,) = experiment(project).runs()
    assert directory.read_config()["model"] == {"kind": "big"}
    assert '"name": "other"' in directory.attempt_logs()[0].read_text()


def test_exit_codes_are_kept_where_ended_children_are_ignored(project: Path) -> None:
    """As processes inherit from some launchers, or the app itself asks for."""
    app = project / "train.py"
    app.write_text(
        f"import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n{app.read_text()}"
    )
    said, code = launch(project, "lr=1")
    assert code == 0, said
    assert all(each.is_done() for each in experiment(project).runs())


@pytest.mark.parametrize(
    "number", others_in_soak([signal.SIGKILL, signal.SIGINT], [signal.SIGKILL])
)
def test_multirun_that_was_ended_is_continued(project: Path, number: signal.Signals) -> None:
    """Killed, what it has started goes on; interrupted, that is asked to stop: no run is lost."""
    (project / "hold").touch()
    with begin(project, "lr=1,2", "hydra.launcher.workers=1") as process:
        while not executed(project):
            assert process.poll() is None, process.stdout and process.stdout.read()
            time.sleep(0.002)
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait(60)
            (project / "hold").unlink()
        said, _ = process.communicate(timeout=120)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), said
    assert "Traceback" not in said
    (project / "hold").unlink(missing_ok=True)
    said, code = launch(project, "lr=1,2")
    assert code == 0, said
    assert all(each.is_done() for each in experiment(project).runs())
    assert len(executed(project)) == (2 if number == signal.SIGKILL else 3)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("hydra.launcher.workers=0", "orch: --workers is 0."),
        ("hydra.launcher.gpus=x", "orch: "),
        ("hydra.launcher.worker=2", "Key 'worker' not in 'OrchLauncherConfig'"),
    ],
)
def test_wrong_setting_is_one_line(project: Path, setting: str, message: str) -> None:
    """It names what is wrong, and nothing is executed."""
    said, code = launch(project, "lr=1,2", setting)
    assert code == 1
    assert message in said
    assert "Traceback" not in said
    assert executed(project) == []
