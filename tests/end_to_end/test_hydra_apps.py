"""What an app composes for itself is what is recorded as the config of its run.

The apps run in forks of this process, which has loaded Hydra: what counts is their arguments.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from composing import POINTS, execute
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra_apps import GeneratedApp, generate
from omegaconf.errors import OmegaConfBaseException

from orchestrator.errors import OrchestratorError
from orchestrator.planning.load import ConfigSource, Planned, load_plan
from orchestrator.planning.sweeper_points import plan_given

KINDS = ("command", "app", "entry_point", "launcher")


def _plan(app: GeneratedApp, kind: str) -> Planned:
    """Plan an app that is named in one of the three ways."""
    if kind == "launcher":
        return _plan_as_the_launcher(app)
    place = {"folder": Path(app.config_dir), "name": app.config_name, "overrides": app.overrides}
    if kind == "app":
        return load_plan(ConfigSource(None, None, app.overrides, app.program))
    if kind == "entry_point":
        place["overrides"] = [*app.overrides, f"orch.entry_point={app.entry_point}"]
        return load_plan(ConfigSource(**place))  # type: ignore[arg-type]
    words = f"python,{app.program},'{{overrides}}','hydra.run.dir={{run_dir}}'"
    given = {override.lstrip("+").partition("=")[0] for override in app.overrides}
    own = ["+results_dir=r", "+experiment_id=e"]
    own = [item for item in own if item[1:].partition("=")[0] not in given]
    setup = [f"orch.setup=[{app.program}]"] if app.registers else []
    place["overrides"] = [*app.overrides, *own, *setup, f"orch.command=[{words}]"]
    return load_plan(ConfigSource(**place))  # type: ignore[arg-type]


def _plan_as_the_launcher(app: GeneratedApp) -> Planned:
    """Plan the points that Hydra's own sweeper makes of the overrides and of the config."""
    ours = ("orch.", "results_dir=", "experiment_id=")
    given = [text for text in app.overrides if not text.lstrip("+").startswith(ours)]
    parsed = OverridesParser.create().parse_overrides(given)
    fixed = [each for each in parsed if not each.is_sweep_override()]
    with initialize_config_dir(str(Path(app.config_dir).absolute()), version_base="1.3"):
        config = compose(
            app.config_name, [str(each.input_line) for each in fixed], return_hydra_config=True
        )
    params = config.hydra.sweeper.get("params") or {}
    of_task = [f"{key}={value}" for key, value in params.items()]
    of_task += [text for text in given if not text.startswith("hydra.")]
    points = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(of_task), None)
    words = f"python,{app.program},'{{overrides}}','hydra.run.dir={{run_dir}}/output'"
    own = [f"orch.command=[{words}]", *(text for text in given if text.startswith("hydra."))]
    source = ConfigSource(Path(app.config_dir), app.config_name, own, app.program)
    return plan_given(source, [tuple(each) for each in points[0]])[0]


def _check(folder: Path, seed: int, kinds: tuple[str, ...]) -> tuple[int, list[str]]:
    """Execute an app by each of the kinds; return how many runs that were, and what was wrong.

    Each in a fork: an app may register resolvers and schemas, and its module is imported.
    """
    folder.mkdir()
    app = generate(folder, seed)
    runs, wrong = 0, []
    context = multiprocessing.get_context("fork")
    for kind in kinds:
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=_plan_and_execute, args=(app, kind, sender))
        child.start()
        sender.close()
        try:
            count, found = receiver.recv()
        except EOFError:
            count, found = 0, ["it ended early"]
        child.join()
        runs += count
        wrong += [f"app {seed}, {app.overrides}: {text}" for text in found]
    return runs, wrong


def _plan_and_execute(app: GeneratedApp, kind: str, sender: Connection) -> None:
    """Run in a fork: plan, execute some runs, and send how many and what was wrong."""
    os.chdir(app.folder)
    try:
        planned = _plan(app, kind)
    except (OrchestratorError, HydraException, OmegaConfBaseException):
        # Random overrides need not go together.
        sender.send((0, []))
        return
    wrong = execute(planned, app.entry_point if kind == "entry_point" else "")
    sender.send((len(planned.plan.decisions[:POINTS]), wrong))


def test_apps_compose_what_is_recorded(tmp_path: Path) -> None:
    """Whatever is typed, however it is quoted, and however the app is named."""
    Plugins.instance()  # once for all forks
    executed, problems = 0, []
    for seed in range(8):
        runs, wrong = _check(tmp_path / str(seed), seed, (KINDS[seed % 4],))
        executed += runs
        problems += wrong
    assert problems == []
    assert executed >= 8


APP = """
import os, sys
from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    output = HydraConfig.get().runtime.output_dir
    print("argv", *sys.argv, "in", os.getcwd())
    Path(output, "model.txt").write_text(f"{cfg.lr} {cfg.model.kind}")
    if cfg.lr == 3 and not Path("fixed").exists():
        raise ValueError("lr is bad")

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("how", ["app", "entry_point"])
def test_app_is_run_as_it_is(tmp_path: Path, how: str) -> None:
    """Each run has an output folder of its own, which is the same in its next attempt."""
    for name, text in {
        "train.py": APP,
        "conf/config.yaml": "defaults: [model: mlp]\nlr: 0.1\nhydra: {mode: MULTIRUN}\n",
        "conf/model/mlp.yaml": "kind: mlp\n",
        "conf/model/cnn.yaml": "kind: cnn\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    settings = ["orch.tracking.enabled=false", "lr=1,3", "model=cnn"]
    settings += ["orch.entry_point=train:main"] if how == "entry_point" else []

    def orch(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "orchestrator", *arguments, "--app=train.py", *settings]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)

    first = orch("run", "--quiet")
    assert (first.returncode, first.stderr) == (1, "")
    assert "attempt 1 failed, error: ValueError: lr is bad" in first.stdout
    (tmp_path / "fixed").touch()
    second = orch("run", "--quiet")
    assert (second.returncode, second.stdout) == (0, "2 of 2 runs are done.\n")
    runs = sorted((tmp_path / "results/train/training").iterdir())
    assert sorted((run / "output/model.txt").read_text() for run in runs) == ["1 cnn", "3 cnn"]
    logs = [(run / "logs/attempt-001.log").read_text() for run in runs]
    assert all("argv train.py lr=" in log and f"in {tmp_path}\n" in log for log in logs)
    assert all("orch." not in log for log in logs)
    assert not (tmp_path / "outputs").exists()
    again = orch("run", "--quiet")
    assert again.stdout == "Nothing to do: all 2 runs are done.\n"


RELATIVE = """
from pathlib import Path
import hydra

@hydra.main(version_base={base!r}, config_path="conf", config_name="config")
def main(cfg):
    Path("model.txt").write_text(str(cfg.lr))

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("base", "config", "override", "changes"),
    [
        pytest.param("1.3", "", None, False, marks=pytest.mark.soak),
        pytest.param("1.3", "hydra: {job: {chdir: true}}", None, True, marks=pytest.mark.soak),
        ("1.3", "", "hydra.job.chdir=true", True),
        ("1.3", "hydra: {job: {chdir: true}}", "hydra.job.chdir=false", False),
        ("1.1", "", None, True),
    ],
)
def test_app_writes_where_its_own_run_would(
    tmp_path: Path, base: str, config: str, override: str | None, *, changes: bool
) -> None:
    """Into the current folder or, if it changes there, into the output folder of each run."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "train.py").write_text(RELATIVE.format(base=base))
    (tmp_path / "conf/config.yaml").write_text(f"lr: 0\n{config}\n")
    words = ["run", "--app=train.py", "--quiet", "lr=1,2", "orch.tracking.enabled=false"]
    subprocess.run(
        [sys.executable, "-m", "orchestrator", *words, *([override] if override else [])],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    own = sorted(path.read_text() for path in tmp_path.glob("results/*/*/*/output/model.txt"))
    assert own == (["1", "2"] if changes else [])
    assert (tmp_path / "model.txt").exists() is not changes


@pytest.mark.soak
def test_many_apps_compose_what_is_recorded(tmp_path: Path) -> None:
    """Each by every way to name it."""
    Plugins.instance()
    executed, apps, problems = 0, 0, []
    seed = 1_000
    while apps < 200:
        runs, wrong = _check(tmp_path / str(seed), seed, KINDS)
        executed += runs
        apps += runs > 0
        problems += wrong
        print(seed, apps, executed, *wrong, flush=True)
        seed += 1
    print(f"{apps} apps, {executed} runs")
    assert problems == []
