"""One process at a time trains in a run directory."""

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest
from run_files import Launch, MakeRun, Start, results_of
from user_modules import run_program

from trainer.errors import ConfigError
from trainer.run_claim import claimed


def hold(folder: str, pipe: Any) -> None:
    """Hold the claim, in a process with a fork of its own, until the process is killed."""
    with claimed(Path(folder)):
        if os.fork() == 0:
            os.close(0)
            pipe.send("there")
        time.sleep(60)


def test_second_process_is_refused_in_one_line(
    make_run: MakeRun, launch: Launch, start: Start
) -> None:
    """It may train when the first is gone, though a fork of that one may live on."""
    run_dir = make_run()
    here, there = multiprocessing.Pipe()
    holder = launch(hold, str(run_dir / "checkpoints"), there)
    assert here.recv() == "there"
    assert start(run_program, str(run_dir)) == 2
    said = (run_dir / "err.log").read_text()
    assert said == (
        f"{run_dir}: another process is training this run. Wait until it ends, or stop it.\n"
    )
    assert not (run_dir / "metrics.jsonl").exists()
    holder.kill()
    holder.join()
    assert start(run_program, str(run_dir)) == 0
    assert results_of(run_dir)["iterations"] == 4


def test_claim_can_be_taken_again_when_it_was_given_back(tmp_path: Path) -> None:
    """Also after an error."""
    with pytest.raises(ConfigError, match="x"), claimed(tmp_path / "c"):
        raise ConfigError("x")
    with claimed(tmp_path / "c"):
        assert (tmp_path / "c").is_dir()
