"""The warm launcher loads once what runs need, and only what may be loaded before a fork."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.launchers.warm import modules_named_by
from orchestrator.runner import forkserver_preload
from orchestrator.runner.attempt_program import SIGNALS

CONFIG = {
    "data": {"_target_": "trainer.data.digits.Digits"},
    "metrics": {"f1": {"_target_": "torchmetrics.classification.MulticlassF1Score"}},
    "model": {"_target_": "mine.Model", "layers": [{"_target_": "trainer.models.mlp.Mlp"}]},
    "optimizer": {"_target_": None, "lr": 0.1},
}


def test_modules_of_targets_are_loaded_where_that_is_harmless() -> None:
    """Wherever a target stands; a module of the user's own may touch the GPU when it is imported."""
    assert modules_named_by([CONFIG, CONFIG]) == (
        "?torchmetrics.classification",
        "?trainer.data.digits",
        "?trainer.models.mlp",
    )


def test_compiler_is_loaded_for_runs_that_compile() -> None:
    """It takes a second, which every such run would pay for."""
    assert modules_named_by([{}, {"compile": False}]) == ()
    assert modules_named_by([{}, {"compile": True}]) == ("?torch._dynamo.eval_frame",)


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ("json,?nowhere.at_all", ""),
        ("?json.decoder", ""),
        ("json,?broken", ""),
        ("nowhere", "ModuleNotFoundError"),
        ("broken", "RuntimeError: no license"),
    ],
)
def test_module_that_need_not_be_there_is_passed_over(
    tmp_path: Path, modules: str, said: str
) -> None:
    """The run that wants it says what is missing; another that is not there is told at once."""
    (tmp_path / "broken.py").write_text("raise RuntimeError('no license')")
    script = "from orchestrator.runner import forkserver_preload; print(forkserver_preload.FAILURE[-200:])"
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, forkserver_preload.MODULES: modules},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said in told.stdout + told.stderr
    assert bool(said) == bool((told.stdout + told.stderr).strip())


def test_process_that_forks_holds_signals_back() -> None:
    """It must outlive a signal to its whole group, and a fork must not lose a request to stop."""
    script = (
        "import signal; from orchestrator.runner import forkserver_preload;"
        "print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, forkserver_preload.MODULES: "json"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "", told.stdout  # nothing that a module prints gets between our lines
    assert told.stderr.strip() == str(sorted(SIGNALS))
