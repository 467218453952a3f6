"""The program reads a run directory, trains, and ends with a code that says how it went."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from run_files import MakeRun, Start, Train, checkpoints_of, results_of
from user_modules import run_program, run_told, sabotage

from trainer.__main__ import keep_lock_to_ourselves, main


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


@pytest.mark.parametrize("every", [1, 3])
def test_run_pauses_after_the_iteration_that_it_is_told(
    make_run: MakeRun, train: Train, start: Start, every: int
) -> None:
    """It is saved there, however rarely it saves; told an iteration that is done, it does nothing."""
    whole = make_run("whole", checkpoint={"every": every})
    train(whole)
    run_dir = make_run(checkpoint={"every": every})
    for _ in range(2):
        said = told(start, run_dir, "2")
        assert said.endswith("paused after iteration 2 of 4, as asked\n")
        assert checkpoints_of(run_dir)[-1].name.startswith("000002-")
        assert not (run_dir / "results.json").exists()
    train(run_dir)
    assert results_of(run_dir)["digest"] == results_of(whole)["digest"]


@pytest.mark.parametrize(
    ("until", "config"),
    [
        ("4", {}),
        ("9", {}),
        ("2", {"stopping": {"metric": "train/loss", "patience": 1, "min_change": 1e9}}),
    ],
    ids=["at the last iteration", "beyond it", "where it stops early"],
)
def test_training_without_an_iteration_left_finishes_instead_of_pausing(
    make_run: MakeRun, start: Start, until: str, config: dict[str, Any]
) -> None:
    run_dir = make_run(**config)
    said = told(start, run_dir, until)
    assert "paused" not in said
    assert (run_dir / "results.json").exists()
    assert ("stopped early" in said) is bool(config)


def told(start: Start, run_dir: Path, until: str) -> str:
    """Be the program that is to stop after an iteration, and return what it says: no warning."""
    assert start(run_told, str(run_dir), until) == 0
    assert (run_dir / "err.log").read_text() == ""
    return (run_dir / "out.log").read_text()


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
        ("a: [", "config.yaml: it is not YAML: while parsing"),
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
        ("fill_the_disk", "OSError: [Errno 28] No space left on device"),
        ("fill_the_memory", "RuntimeError: "),
        ("fill_pythons_memory", "MemoryError"),
        ("read what is not there", "FileNotFoundError: [Errno 2] No such file or directory"),
    ],
)
def test_error_in_the_runs_own_code_keeps_its_traceback(
    make_run: MakeRun, start: Start, tmp_path: Path, deed: str, line: str
) -> None:
    """The last line says what, the lines before say where."""
    run_dir = make_run(curriculum=sabotage(tmp_path, "step_end", 2, deed))
    assert start(run_program, str(run_dir)) == 1
    said = (run_dir / "err.log").read_text()
    assert "user_modules.py" in said
    assert said.splitlines()[-1].startswith(line) or "\n" + line in said


def test_error_in_a_loader_worker_ends_in_the_line_that_says_what(
    make_run: MakeRun, start: Start
) -> None:
    """The worker's own traceback is there, on lines of its own."""
    run_dir = make_run(data={"_target_": "unruly_modules.Missing"}, dataloader={"num_workers": 1})
    assert start(run_program, str(run_dir)) == 1
    lines = (run_dir / "err.log").read_text().strip().splitlines()
    assert lines[-1].startswith("FileNotFoundError: [Errno 2] No such file or directory: ")
    assert any("unruly_modules.py" in line for line in lines)


def test_user_error_in_a_loader_worker_is_one_line(make_run: MakeRun, start: Start) -> None:
    """Without the traceback that PyTorch brings from there."""
    run_dir = make_run(
        data={"_target_": "returning.Data", "where": "data.__getitem__", "what": "a thing"},
        dataloader={"num_workers": 1},
    )
    assert start(run_program, str(run_dir)) == 2
    said = (run_dir / "err.log").read_text()
    assert said.startswith("data: samples cannot be collated to a batch: ")
    assert said.count("\n") == 1


def test_disk_that_refuses_what_the_trainer_writes_is_one_line(
    make_run: MakeRun, start: Start
) -> None:
    """It is not a bug, and needs no traceback."""
    run_dir = make_run()
    (run_dir / "metrics.jsonl").mkdir()
    assert start(run_program, str(run_dir)) == 1
    said = (run_dir / "err.log").read_text()
    assert said.startswith("orch: FileExistsError: [Errno 17] it is no")
    assert said.count("\n") == 1


@pytest.mark.parametrize("fails", [False, True])
def test_daemonic_process_of_the_runs_own_code_ends_with_the_run(
    make_run: MakeRun, start: Start, *, fails: bool
) -> None:
    """It inherits the handlers of the trainer, and Python waits for it at the end."""
    run_dir = make_run(curriculum={"_target_": "forking_modules.Forking", "fails": fails})
    assert start(run_program, str(run_dir)) == int(fails)
    assert (run_dir / "results.json").exists() != fails


ENDINGS = ["exit", "exit with 0", "exit with 3", "exit with words", "raise KeyboardInterrupt"]
PLACES = ["iteration_begin", "step_end", "iteration_end"]


@pytest.mark.parametrize("deed", ENDINGS)
@pytest.mark.parametrize("event", PLACES)
def test_run_that_ends_the_program_itself_has_failed(
    make_run: MakeRun, start: Start, tmp_path: Path, deed: str, event: str
) -> None:
    """Exit code 0 says that there are results; the traceback says who ended the program."""
    run_dir = make_run(curriculum=sabotage(tmp_path, event, 2, deed))
    assert start(run_program, str(run_dir)) == 1
    said = (run_dir / "err.log").read_text()
    assert "user_modules.py" in said
    last = said.splitlines()[-1]
    assert re.match(
        r"trainer\.errors\.UnfinishedError: .* \(user_modules\.py, line \d+\) was raised ", last
    )
    assert not (run_dir / "results.json").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"_target_": "exiting_module.Model"}},
        {"model": {"_target_": "unruly_modules.Exiting"}},
        {"data": {"_target_": "unruly_modules.ExitingData"}},
        {"criterion": {"_target_": "unruly_modules.ExitingAtTheEnd"}},
    ],
)
def test_run_whose_modules_end_the_program_has_failed(
    make_run: MakeRun, start: Start, changes: dict[str, object]
) -> None:
    """When they are imported, made or asked for a sample, and when the test is over."""
    run_dir = make_run(**changes)
    assert start(run_program, str(run_dir)) == 1
    said = (run_dir / "err.log").read_text()
    place = r"SystemExit\(0\) \((exiting_module|unruly_modules)\.py, line \d+\) was raised"
    assert re.match(rf"trainer\.errors\.UnfinishedError: {place}", said.splitlines()[-1])
    assert not (run_dir / "results.json").exists()


@pytest.mark.parametrize(
    ("name", "said"), [("stop_requested", "stopped after"), ("stop_after", "paused after")]
)
def test_run_that_asks_itself_to_stop_is_refused(
    make_run: MakeRun, start: Start, name: str, said: str
) -> None:
    """It would be resumed and stopped one iteration later each time, and never done."""
    run_dir = make_run(curriculum={"_target_": "unruly_modules.Stopping", "name": name})
    assert start(run_program, str(run_dir)) == 2
    found = (run_dir / "err.log").read_text()
    assert found.startswith(f"{name}: the run's own code set it; {said} iteration 1 ")
    assert found.count("\n") == 1


def cold(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def hash_of_a_text(seed: str) -> str:
    """Return what a process with a seed of hashes makes of a text, as results name it."""
    hashed = "print(f'{hash(\"orch\") & 0xFFFFFFFF:08x}', end='')"
    return cold("-c", hashed, PYTHONHASHSEED=seed).stdout


def test_order_of_sets_is_the_one_that_the_user_fixes(make_run: MakeRun) -> None:
    """The results name it."""
    run_dir = make_run(iterations=1, data={"_target_": "unruly_modules.Unordered"})
    ended = cold("-m", "trainer", str(run_dir), PYTHONHASHSEED="5")
    assert ended.returncode == 0, ended.stderr
    assert results_of(run_dir)["environment"]["string_hash"] == hash_of_a_text("5")


def test_order_of_sets_is_the_same_in_every_process(make_run: MakeRun, tmp_path: Path) -> None:
    """In the fork of a warm process, in a command, and alone; the results name it."""
    alone = make_run("alone", iterations=1, data={"_target_": "unruly_modules.Unordered"})
    ended = cold("-m", "trainer", str(alone), PYTHONHASHSEED="")
    assert ended.returncode == 0, ended.stderr
    assert results_of(alone)["environment"]["string_hash"] == hash_of_a_text("0")
    digests = {results_of(alone)["digest"]}
    conf = tmp_path / "conf"
    conf.mkdir()
    command = f"+orch.command=[{sys.executable},-m,trainer,'{{run_dir}}']"
    for name, more in (("warm", []), ("command", [command])):
        own = f"results_dir: {tmp_path / name}\nexperiment_id: sets\n"
        (conf / "config.yaml").write_text((alone / "config.yaml").read_text() + own)
        orch = ("-m", "orchestrator", "--config-dir", str(conf), "run")
        ended = cold(*orch, "+orch.tracking.enabled=false", *more, PYTHONHASHSEED="")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        (results,) = (tmp_path / name).glob("sets/training/*/results.json")
        digests.add(results_of(results.parent)["digest"])
    assert len(digests) == 1


def test_pytorch_is_imported_after_the_program_has_begun_to_listen() -> None:
    """A request to stop that arrives meanwhile is not lost; and PyTorch is not imported before a restart."""
    ended = cold("-c", "import sys, trainer.__main__; print('torch' in sys.modules)")
    assert ended.stdout == "False\n", ended.stderr


def test_importing_the_trainer_changes_nothing() -> None:
    """A program that uses it as a library finds PyTorch unchanged."""
    look = (
        "import os, torch, sys; before = [*sys.meta_path], dir(torch)\n"
        "import trainer, trainer.trainer, trainer.__main__, trainer.lazy_compiler\n"
        "assert before[0] == sys.meta_path and '_dynamo' not in dir(torch), dir(torch)\n"
        "assert 'torch._dynamo' not in sys.modules\n"
        "for switch, version in ('1', torch.__version__), ('0', torch.__version__), ('1', '2.99.0'):\n"
        "    if os.fork() == 0:\n"
        "        os.environ['TRAINER_LAZY_COMPILER'], torch.__version__ = switch, version\n"
        "        import trainer.preload\n"
        "        print(type(sys.modules.get('torch._dynamo')).__name__, flush=True)\n"
        "        os._exit(0)\n"
        "    assert os.wait()[1] == 0\n"
    )
    ended = cold("-c", look)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["LateDynamo", "NoneType", "NoneType"]


def test_ends_of_ranks_and_workers_are_seen_whatever_the_launcher_ignores(tmp_path: Path) -> None:
    """Where SIGCHLD is ignored, the kernel reaps them, and nobody learns how they ended."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    asked = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        assert main([f"{tmp_path}"]) == 2  # it has no config
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGCHLD, before)
        signal.signal(signal.SIGTERM, asked[0])
        signal.signal(signal.SIGINT, asked[1])
