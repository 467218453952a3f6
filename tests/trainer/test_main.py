"""The program reads a run directory, trains, and ends with a code that says how it went."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_files import MakeRun, Start, Train, checkpoints_of, results_of
from user_modules import run_program, sabotage

from trainer.__main__ import keep_lock_to_ourselves


def test_program_trains_a_run_directory(make_run: MakeRun, train: Train) -> None:
    """A cold process says a line for each iteration and gives what a warm one gives."""
    run_dir, warm = make_run("cold", iterations=2), make_run("warm", iterations=2)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-m", "trainer", str(run_dir)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second = ended.stdout.splitlines()
    assert first.startswith("iteration 1 of 2: train/loss ")
    assert second.startswith("iteration 2 of 2: train/loss ")
    train(warm)
    assert results_of(run_dir)["digest"] == results_of(warm)["digest"]


@pytest.mark.parametrize(("deed", "code"), [("terminate", 143), ("interrupt", 130)])
def test_signal_stops_the_run_at_the_end_of_the_iteration(
    make_run: MakeRun,
    start: Start,
    tmp_path: Path,
    deed: str,
    code: int,
) -> None:
    """The iteration is finished and saved, one line says so, and the run can be resumed."""
    whole = make_run("whole")
    assert start(run_program, str(whole)) == 0
    run_dir = make_run(curriculum=sabotage(tmp_path, "step_end", 2, deed))
    assert start(run_program, str(run_dir)) == code
    assert (run_dir / "out.log").read_text().endswith("stopped after iteration 2 of 4, as asked\n")
    assert checkpoints_of(run_dir)[-1].name.startswith("000002-")
    assert start(run_program, str(run_dir)) == 0
    assert results_of(run_dir)["digest"] == results_of(whole)["digest"]


def test_signal_in_the_last_iteration_leaves_the_test_to_the_next_process(
    make_run: MakeRun, start: Start, tmp_path: Path
) -> None:
    """Asked to stop, the program does not begin anything new."""
    run_dir = make_run(curriculum=sabotage(tmp_path, "step_end", 4, "terminate"))
    assert start(run_program, str(run_dir)) == 143
    assert not (run_dir / "results.json").exists()
    assert start(run_program, str(run_dir)) == 0
    assert results_of(run_dir)["iterations"] == 4


@pytest.mark.parametrize(
    ("changes", "code", "line"),
    [
        (
            {"criterion": {"_target_": "user_modules.Exploding"}},
            1,
            "diverged: iteration 1: the training loss is nan.",
        ),
        ({"model": {"name": "none"}}, 2, "model._target_: missing."),
        (
            {"curriculum": {"_target_": "user_modules.Misspelt"}},
            2,
            "curriculum: there is no callback",
        ),
    ],
)
def test_error_that_a_user_can_mend_is_one_line(
    make_run: MakeRun,
    start: Start,
    changes: dict[str, object],
    code: int,
    line: str,
) -> None:
    """No traceback reaches the user."""
    run_dir = make_run(**changes)
    assert start(run_program, str(run_dir)) == code
    said = (run_dir / "err.log").read_text()
    assert said.startswith(line)
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "config.yaml: No such file or directory"),
        ("a: [", "config.yaml: not YAML: while parsing"),
        ("- a", "config.yaml: expected keys with values"),
        ("a: ${b}", "a: Interpolation key 'b' not found"),
        ("{}", "seed: missing. Set it, for example seed: 1."),
    ],
)
def test_unusable_config_is_one_line(
    tmp_path: Path,
    start: Start,
    content: str | None,
    reason: str,
) -> None:
    """The line says which file or key, and what is wrong with it."""
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    assert start(run_program, str(tmp_path)) == 2
    said = (tmp_path / "err.log").read_text()
    assert reason in said
    assert said.count("\n") == 1


def test_programs_that_the_trainer_starts_do_not_keep_the_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The descriptor of the run's lock is closed when another program is executed."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    monkeypatch.setenv("ORCH_LOCK_FD", str(writing))
    keep_lock_to_ourselves()
    assert not os.get_inheritable(writing)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("deed", "line"),
    [
        ("fill_the_disk", "orch: OSError: [Errno 28] No space left on device"),
        ("fill_the_memory", "orch: RuntimeError: "),
        ("fill_pythons_memory", "orch: MemoryError: no more memory"),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    make_run: MakeRun, start: Start, tmp_path: Path, deed: str, line: str
) -> None:
    """A full disk and a full memory are no bugs, and need no traceback."""
    run_dir = make_run(curriculum=sabotage(tmp_path, "step_end", 2, deed))
    assert start(run_program, str(run_dir)) == 1
    said = (run_dir / "err.log").read_text()
    assert said.startswith(line)
    assert said.count("\n") == 1
