"""The command line: what it understands, and how it says no."""

import json
import os
import pty
import shutil
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from forked_orch import run_orch

from orchestrator.cli.main import call
from orchestrator.errors import OrchestratorError

ROOT = Path(__file__).parents[3]


def orch(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("optimizr.lr=1", "Did you mean 'optimizer.lr'?"),
        ("model=mlpp", "Did you mean 'mlp'?"),
        ("nogroup=mlp", "no such key"),
        ("training=grid_search optimizer.lrr=1,2", "Did you mean 'optimizer.lr'?"),
        ("orch.worker=2", "Did you mean 'workers'?"),
        ("orch.workers=many", "an integer"),
        ("experiment_id=../other", "cannot be the name of a folder"),
        ("seed=???", "seed has no value"),
        ("seed=interval(0,1)", "cannot be enumerated"),
        ("--config-dir nowhere", "--config-dir"),
        ("--config-name other", "no config 'other'"),
        ("results_dir=/dev/null/here", "cannot write here"),
    ],
)
def test_mistake_is_one_line_and_exit_code_2(tmp_path: Path, arguments: str, hint: str) -> None:
    """What, where, what next; no traceback, nothing on stdout, nothing left behind."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    ended = run_orch("run", *arguments.split(), folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("orch: ")
    assert hint in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["conf"]


def test_unreadable_config_names_file_and_line(tmp_path: Path) -> None:
    """A YAML error says where it is."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text("a: 1\nb: [1\nc: 2\n")
    ended = orch("plan", cwd=tmp_path)
    assert ended.returncode == 2
    assert "config.yaml, line 3" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--halving", "--order", "--workers", "--app", "--columns"])
def test_message_about_a_long_text_can_be_read(tmp_path: Path, option: str) -> None:
    """What is quoted is cut in the middle, so that what to do stays in sight."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    command = "results" if option == "--columns" else "run"
    ended = run_orch(command, option, "x" * 50_000, folder=tmp_path)
    assert ended.returncode == 2
    assert len(ended.stderr) < 3100
    assert ended.stderr.count("\n") == 1


def test_error_in_a_filter_keeps_the_mark_under_its_place() -> None:
    """What points at a character needs a line of its own."""
    ended = orch("plan", "training=grid_search", '_filters=["model.name > 1 ! seed == 0"]')
    assert ended.returncode == 2
    _, quoted, mark, _ = ended.stderr.rstrip("\n").split("\n")
    assert quoted.index(">") == mark.index("^")


def test_module_that_cannot_be_loaded_is_told_with_its_traceback(tmp_path: Path) -> None:
    """The user finds the line in the file that is at fault."""
    (tmp_path / "conf").mkdir()
    config = "results_dir: results\nexperiment_id: x\norch: {entry_point: broken:main, tracking: {enabled: false}}\n"
    (tmp_path / "conf/config.yaml").write_text(config)
    (tmp_path / "broken.py").write_text("x = 1\nx.missing\n")
    ended = orch("run", cwd=tmp_path)
    assert ended.returncode == 2
    lines = ended.stderr.split("\n")
    assert any(line.endswith('broken.py", line 2, in <module>') for line in lines), lines


def test_help_loads_nothing_heavy() -> None:
    """``orch --help`` answers without Hydra, rich, PyTorch or MLflow, and without what errors need."""
    script = (
        "import sys; from orchestrator.cli.main import call\n"
        "try: call(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'hydra', 'omegaconf', 'rich', 'torch', 'mlflow', 'dataclasses', 'difflib', 'json'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_planning_loads_no_training_stack(tmp_path: Path) -> None:
    """``orch plan`` imports neither PyTorch nor MLflow, and writes nothing."""
    script = (
        "import sys; from orchestrator.cli.main import call\n"
        f"call(['plan', 'training=grid_search', 'results_dir={tmp_path / 'results'}'])\n"
        "print(sorted({'torch', 'mlflow', 'sklearn'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ended.stdout.splitlines()[-1] == "[]"
    assert list(tmp_path.iterdir()) == []


def test_status_before_the_first_run_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An experiment without runs is not an error."""
    call(["status", f"--config-dir={ROOT / 'conf'}", f"results_dir={tmp_path}"])
    assert "Start them with orch run" in capsys.readouterr().out


def test_page_without_a_store_says_what_to_do_first(tmp_path: Path) -> None:
    """There is nothing to show before the first run."""
    with pytest.raises(OrchestratorError, match="Start runs with orch run"):
        call(["ui", f"--config-dir={ROOT / 'conf'}", f"results_dir={tmp_path}"])


INTERRUPTED = """
import os, signal, sys
from orchestrator.cli.main import call
class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "orchestrator.cli.commands.plan":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
signal.signal(signal.SIGINT, signal.{})
sys.exit(call(["plan", "x=1", "--config-dir", "nowhere"]))
"""


def test_interrupt_before_the_command_begins_exits_at_once() -> None:
    """In the middle of an import, libraries make errors of their own of it."""
    program = INTERRUPTED.format("default_int_handler")
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_interrupt_while_arguments_are_parsed_exits_at_once() -> None:
    """Argparse tidies up after it, and fails at that."""
    program = """
import os, signal, sys
from orchestrator.cli import arguments
from orchestrator.cli.main import call
def interrupted(_):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        raise AttributeError("save_nargs")
arguments.command_parser = interrupted
sys.exit(call(["plan"]))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_interrupt_that_is_ignored_stays_ignored() -> None:
    """A shell starts what runs in the background so."""
    program = INTERRUPTED.format("SIG_IGN")
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert b"there is no config folder" in ended.stderr


@pytest.mark.parametrize("command", ["show", "logs"])
def test_run_that_is_not_named_is_asked_for(command: str) -> None:
    """And nothing else: overrides may be left out."""
    with pytest.raises(
        OrchestratorError,
        match=r"RUN is missing: name the run by its ID, or the start of it\. See orch",
    ):
        call([command])


def orch_without_reader(
    *arguments: str, cwd: Path = ROOT, stderr: bool = False, unbuffered: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Call ``orch`` with a pipe that nobody reads as its output; ``stderr``: as that, too."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=writing,
            stderr=writing if stderr else subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a config for runs that do nothing."""
    (tmp_path / "conf").mkdir()
    config = "results_dir: results\nexperiment_id: x\nseed: 0\norch: {command: ['true'], tracking: {enabled: false}}\n"
    (tmp_path / "conf/config.yaml").write_text(config)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "unbuffered"),
    [("--version", ""), ("run --help", "1"), ("plan", ""), ("status --json", "1")],
)
def test_reader_that_has_gone_ends_a_command_as_sigpipe_does(
    arguments: str, unbuffered: str, project: Path
) -> None:
    """Quietly, whether that is noticed while it prints or at exit: 0 and 1 are promises about runs."""
    ended = orch_without_reader(*arguments.split(), cwd=project, unbuffered=unbuffered)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_reader_that_goes_in_the_middle_ends_a_command_as_sigpipe_does(
    unbuffered: str, project: Path
) -> None:
    """More is left than fits into the pipe."""
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "plan", "seed=range(400)", "--json"],
        cwd=project,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"{\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_error_that_nobody_reads_keeps_its_exit_code(project: Path) -> None:
    """Scripts depend on the code, not on the message."""
    assert orch_without_reader("plan", "sed=1", cwd=project, stderr=True).returncode == 2


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_runs_go_on_without_a_reader(options: tuple[str, ...], project: Path) -> None:
    """``orch run | head -1`` loses output, never runs, and exits with the code of the runs."""
    ended = orch_without_reader("run", "seed=1,2", *options, cwd=project, stderr=True)
    assert ended.returncode == 0
    states = [
        json.loads(path.read_text())["state"]
        for path in (project / "results/x").glob("**/status.json")
    ]
    assert states == ["done", "done"]


def test_output_that_cannot_be_written_is_one_line_and_exit_code_2(project: Path) -> None:
    """A full disk is noticed at exit where little is printed."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "orchestrator", "--version"],
            env={**os.environ, "PYTHONUNBUFFERED": ""},
            cwd=project,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == "orch: [Errno 28] No space left on device\n"


IGNORING = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv({0}, [{0}, *{1}])"


def test_exit_codes_are_kept_where_a_launcher_ignores_ended_children(project: Path) -> None:
    """The kernel would throw them away: each run had failed, though its program had not."""
    orch = ["-m", "orchestrator", "run", "orch.command=[sh,-c,'exit {seed}']", "seed=0,3"]
    program = IGNORING.format(repr(sys.executable), orch)
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    found = [json.loads(path.read_text()) for path in project.glob("results/x/**/status.json")]
    assert sorted((each["state"], each["exit_code"]) for each in found) == [
        ("done", 0),
        ("failed", 3),
    ]


def test_working_folder_that_was_removed_is_one_line(tmp_path: Path) -> None:
    """The system says only that there is no such file."""
    (tmp_path / "gone").mkdir()
    program = "import os; from orchestrator.cli.main import main; os.rmdir(os.getcwd()); main()"
    command = [sys.executable, "-c", program, "plan"]
    ended = subprocess.run(
        command, cwd=tmp_path / "gone", capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "orch: the working folder was removed. Change to a folder that is there.\n"
    )


def test_mistake_is_indented_on_a_narrow_terminal(tmp_path: Path) -> None:
    """And no word is broken."""
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 40))
    command = [sys.executable, "-m", "orchestrator", "results", "--metrics", "loss"]
    ended = subprocess.run(command, cwd=tmp_path, stderr=end, stdin=end, check=False)
    os.close(end)
    told = os.read(terminal, 10_000).decode()
    os.close(terminal)
    assert ended.returncode == 2
    assert told.splitlines() == [
        "orch: there is no option --metrics. Did",
        "      you mean --columns? See orch",
        "      results --help.",
    ]
