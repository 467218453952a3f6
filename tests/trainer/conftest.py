"""Run directories to train in, and processes to train in them."""

import faulthandler
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from trainer.config_file import read_config
from trainer.trainer import ModularTaskTrainer

# Configurations name the modules of this folder, and tests import them.
sys.path.append(str(Path(__file__).parent / "user_code"))

from run_files import (
    End,
    EndsOf,
    Interrupt,
    Launch,
    MakeRun,
    Start,
    Train,
    places_of,
    results_of,
)
from user_modules import Interrupted, run_program, sabotage

# How long a run may take, in seconds; a soak on a busy machine sets more.
PATIENCE = float(os.environ.get("ORCH_TEST_PATIENCE", "50"))

TINY: dict[str, Any] = {
    "seed": 7,
    "iterations": 4,
    "batch_size": 8,
    "eval_every": 4,
    "data": {"name": "Tiny", "_target_": "user_modules.Tiny"},
    "model": {
        "name": "Mlp",
        "_target_": "trainer.models.mlp.Mlp",
        "input_shape": [6],
        "classes": 2,
        "hidden": 8,
    },
    "optimizer": {"name": "SGD", "_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9},
    "criterion": {"name": "CrossEntropy", "_target_": "torch.nn.CrossEntropyLoss"},
}


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return what makes a run directory of a tiny configuration with some keys changed."""

    def make(name: str = "run", **changes: Any) -> Path:
        cfg = OmegaConf.create(TINY)
        for key, value in changes.items():
            OmegaConf.update(cfg, key.replace("__", "."), value, merge=False)
        run_dir = tmp_path / name
        run_dir.mkdir()
        OmegaConf.save(cfg, run_dir / "config.yaml")
        return run_dir

    return make


@pytest.fixture
def train() -> Train:
    """Return what trains a run directory here, without a process of its own."""

    def train_here(run_dir: Path) -> dict[str, float]:
        return ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir).train()

    return train_here


@pytest.fixture
def interrupt(make_run: MakeRun, train: Train, tmp_path: Path) -> Interrupt:
    """Return what trains a run whole, and interrupted and resumed, and compares how both end."""

    def compare(
        event: str,
        iteration: int,
        *,
        run: Callable[[Path], Any] = train,
        role: str = "curriculum",
        by: str = "user_modules.Saboteur",
        **changes: Any,
    ) -> Path:
        """Interrupt the run once at an event of an iteration; return the run that was resumed.

        `run` trains it. The module of a role interrupts it, by an object of the class `by`; the run
        must have no other module of this role than a data module.
        """
        whole = make_run("whole", **changes)
        run(whole)
        broken = make_run(
            "broken",
            **{**changes, role: sabotage(tmp_path, event, iteration, "raise") | {"_target_": by}},
        )
        with pytest.raises(Interrupted):
            run(broken)
        assert not (broken / "results.json").exists()
        run(broken)
        for part in ("digest", "test", "best", "final"):
            assert results_of(broken)[part] == results_of(whole)[part], part
        assert places_of(broken) == places_of(whole)
        return broken

    return compare


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Return what calls a function in a process of its own, with a process group of its own.

    The processes are forked from one that has imported everything, as the orchestrator does it.
    What is left of a group at the end is killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["pytest", "trainer.preload", "trainer.__main__", "trainer.trainer", __name__]
    )
    started: list[BaseProcess] = []

    def begin(function: Callable[..., None], *arguments: object) -> BaseProcess:
        process = context.Process(target=call_in_group, args=(function, *arguments))
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)


@pytest.fixture
def ends_of(launch: Launch) -> EndsOf:
    """Return what runs `python -m trainer RUN_DIR` for each of some runs, and returns how they end."""

    def ends(run_dirs: dict[str, Path]) -> dict[str, End]:
        process = launch(run_each, [*map(str, run_dirs.values())])
        process.join(300)
        assert process.exitcode == 0
        return {
            name: End(
                json.loads((run_dir / "code").read_text()),
                (run_dir / "err.log").read_text(),
                (run_dir / "results.json").exists(),
            )
            for name, run_dir in run_dirs.items()
        }

    return ends


def run_each(run_dirs: list[str]) -> None:
    """Be `python -m trainer RUN_DIR` in a process for each run."""
    for run_dir in run_dirs:
        pid = os.fork()
        if pid == 0:
            try:
                run_program(run_dir)
            except SystemExit as ended:
                os._exit(ended.code if isinstance(ended.code, int) else 1)
            except BaseException:  # noqa: BLE001 - as Python itself ends
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        Path(run_dir, "code").write_text(json.dumps(code))


def call_in_group(function: Callable[..., None], *arguments: object) -> None:
    """Call a function as the leader of a process group, which says on request where it is."""
    os.setpgid(0, 0)
    faulthandler.register(signal.SIGUSR1)
    function(*arguments)


@pytest.fixture
def start(launch: Launch) -> Start:
    """Return what calls a function in a process of its own and returns the exit code."""

    def run(function: Callable[..., None], *arguments: object) -> int:
        process = launch(function, *arguments)
        process.join(PATIENCE)
        if process.exitcode is None:
            os.kill(process.pid or 0, signal.SIGUSR1)  # its threads are among what was captured
            process.join(1)
        assert process.exitcode is not None
        return process.exitcode

    return run
