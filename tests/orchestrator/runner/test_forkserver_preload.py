"""The preload loads what runs need before the first fork, and holds signals back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.runner import forkserver_preload
from orchestrator.runner.attempt_program import SIGNALS


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ("json,?nowhere.at_all", ""),
        ("?json.decoder", ""),
        ("json,?broken", ""),
        ("nowhere", "there is no module nowhere"),
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


def test_what_is_loaded_is_never_searched_for_garbage(tmp_path: Path) -> None:
    """Not even once at the end, which takes a tenth of a second with PyTorch; later objects are."""
    (tmp_path / "watch.py").write_text(
        "import gc\nseen = []\ngc.callbacks.append(lambda *it: seen.append(it))\n"
        "kept = [[] for _ in range(10_000)]\n"
    )
    script = (
        "import gc, sys; from orchestrator.runner import forkserver_preload; import watch;"
        "print(watch.seen, gc.isenabled(), gc.get_freeze_count() > 10_000, file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, forkserver_preload.MODULES: "watch"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stderr.strip() == "[] True True"
