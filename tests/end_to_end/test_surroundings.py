"""Where orch is called from: folders with files of any name, terminals that go, streams that are closed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ORCH = Path(sys.executable).with_name("orch")
CONFIG = """\
results_dir: results
experiment_id: here
x: 0
orch:
  tracking: {enabled: false}
  workers: 1
  grace: 2
  command: null
  entry_point: null
  arguments: []
"""
# Of the standard library, of what we import, and ours.
HARMLESS_NAMES = (
    *("trainer", "orchestrator", "queue", "random", "types", "select", "logging", "typing", "copy"),
    *("platform", "secrets", "token", "string", "socket", "signal", "tempfile", "selectors", "re"),
    *("struct", "pickle", "threading", "subprocess", "json", "ast", "enum", "io", "abc", "code"),
    *("torch", "numpy", "filelock", "omegaconf", "hydra", "rich", "mlflow", "yaml", "antlr4"),
    *("multiprocessing", "sklearn", "torchmetrics", "sqlalchemy", "alembic", "pynvml", "uvicorn"),
)
OWN = "import sys\nimport helper_of_mine\ndef main():\n    print('mine', *sys.argv[1:])\n"


def make(folder: Path, config: str = CONFIG) -> Path:
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(config)
    return folder


def orch(folder: Path, *arguments: str, **named: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ORCH, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **named,
    )


def logs(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("results/here/training/*/logs/*"))


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose folder has a file with each of the names, and modules of its own."""
    folder = make(tmp_path_factory.mktemp("crowded"))
    for name in HARMLESS_NAMES:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the project')\n")
    for name in ("queue", "mlflow", "trainer"):  # as folders, too
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise SystemExit('a folder of the project')\n")
    (folder / "own.py").write_text(OWN)
    (folder / "helper_of_mine.py").write_text("")
    return folder


def test_function_is_called_in_a_folder_with_files_of_any_name(crowded: Path) -> None:
    """Neither the standard library nor what is installed is hidden; the user's modules are found."""
    ended = orch(
        crowded,
        *("run", "x=1,2", "orch.entry_point=own:main", "orch.arguments=['{x}']"),
        *("experiment_id=here", "orch.tracking.enabled=true"),
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""  # helpers such as multiprocessing's resource tracker start as well
    assert sorted(logs(crowded).splitlines()) == ["mine 1", "mine 2"]
    assert "of the project" not in (crowded / "results/here/tracking.log").read_text()
    assert "2 of 2 runs are done." in ended.stdout


def test_command_is_run_in_a_folder_with_files_of_any_name(crowded: Path) -> None:
    """The runner looks for nothing there; what the command looks for is its own affair."""
    ended = orch(crowded, "run", "x=3", "orch.command=[echo,'it is {x}']")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "it is 3" in logs(crowded)


def test_training_runs_in_a_folder_with_files_of_any_name(crowded: Path, tmp_path: Path) -> None:
    """Our own trainer as well, which imports most of what there is."""
    conf = Path(__file__).parents[2] / "conf"
    ended = orch(
        crowded,
        *(f"--config-dir={conf}", "run", "iterations=1", "orch.tracking.enabled=false"),
        f"results_dir={tmp_path}/trained",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_module_is_run_in_a_folder_with_files_of_most_names(tmp_path: Path) -> None:
    """``python -m`` puts the folder first; only a file of our own name is beyond us there."""
    make(tmp_path)
    for name in ("trainer", "random", "logging", "torch", "hydra", "rich"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the project')\n")
    (tmp_path / "own.py").write_text("def main():\n    import random\n")
    command = [sys.executable, "-m", "orchestrator", "run", "orch.entry_point=own:main"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_hidden_file_is_named_with_what_hides_it(tmp_path: Path) -> None:
    """A function is asked for that the user's file has, and the module that was found has not."""
    make(tmp_path)
    (tmp_path / "sched.py").write_text("def main():\n    pass\n")
    ended = orch(tmp_path, "run", "orch.entry_point=sched:main")
    assert ended.returncode == 2
    assert "orch.entry_point: sched has no function main. " in ended.stderr
    assert f"which hides {tmp_path.resolve()}/sched.py. Rename that file" in ended.stderr


@pytest.mark.parametrize(
    "setting",
    ["orch.entry_point=json.mine:main", "orch.preload=[json.mine]", "orch.setup=[json.mine]"],
)
def test_module_that_is_not_found_is_one_line_wherever_it_is_named(
    tmp_path: Path, setting: str
) -> None:
    """Here it is in a folder that an installed package hides."""
    make(tmp_path)
    (tmp_path / "own.py").write_text("def main():\n    pass\n")
    (tmp_path / "json").mkdir()
    (tmp_path / "json/mine.py").write_text("def main():\n    pass\n")
    ended = orch(tmp_path, "run", "orch.entry_point=own:main", setting, "--quiet")
    assert ended.returncode == 2
    (told,) = ended.stderr.splitlines()
    assert f"no module json.mine. {json.__file__} was imported, which hides" in told
    assert told.endswith(f"{tmp_path.resolve()}/json. Rename that folder.")


def test_folder_of_the_user_is_searched_by_programs_only_where_asked(tmp_path: Path) -> None:
    """PYTHONSAFEPATH is what the user has set, in every program."""
    make(tmp_path)
    (tmp_path / "told.py").write_text(
        "import os\ndef main():\n    print(os.environ.get('PYTHONSAFEPATH'), *sorted("
        "name for name in os.environ if name.startswith('ORCH_PRELOAD')))\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    asked = ("run", "orch.entry_point=told:main")
    assert orch(tmp_path, *asked, "x=1", env=environment).returncode == 0
    assert orch(tmp_path, *asked, "x=2", env={**environment, "PYTHONSAFEPATH": "y"}).returncode == 0
    assert sorted(logs(tmp_path).splitlines()) == ["None", "y"]


LONG_ENOUGH = """\
import os, signal, sys
def main():
    with open("told", "w") as told:
        told.write(str(os.getpid()))
    with open("more") as more:
        more.read()
"""


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return what starts orch with a run that waits for a line in ``more``, once that waits."""
    make(tmp_path)
    (tmp_path / "waiter.py").write_text(LONG_ENOUGH)
    os.mkfifo(tmp_path / "told")
    os.mkfifo(tmp_path / "more")
    calls = []

    def start(**named: Any) -> subprocess.Popen[str]:
        call = subprocess.Popen(
            [ORCH, "run", "orch.entry_point=waiter:main", "orch.grace=2"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **named,
        )
        calls.append(call)
        (tmp_path / "told").read_text()
        return call

    yield start
    for call in calls:
        call.kill()
        call.communicate()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_signal_that_was_ignored_at_the_start_stays_ignored(
    waiting: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    """``nohup orch run &`` survives its terminal, and a shell's background job its Ctrl-C."""
    previous = signal.signal(number, signal.SIG_IGN)
    try:
        call = waiting()
    finally:
        signal.signal(number, previous)
    call.send_signal(number)
    (tmp_path / "more").write_text("")
    said, _ = call.communicate(timeout=60)
    assert call.returncode == 0, said
    assert "stopping" not in said


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_obstacle(tmp_path: Path, closed: str) -> None:
    """Nobody sees what is said; the run is done all the same."""
    make(tmp_path)
    (tmp_path / "own.py").write_text("def main():\n    print('said')\n")
    script = f"exec {ORCH} run orch.entry_point=own:main {closed}"
    assert subprocess.run(["sh", "-c", script], cwd=tmp_path, check=False).returncode == 0
    assert logs(tmp_path) == "said\n"


def test_temporary_folder_may_have_a_long_path(tmp_path: Path) -> None:
    """Sockets need a short one, and nothing is left of it, nor in the long one."""
    make(tmp_path)
    (tmp_path / "own.py").write_text(
        "import tempfile\ndef main():\n    print(tempfile.gettempdir())\n"
    )
    long = tmp_path / ("t" * 120)
    long.mkdir()
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # a short path is what is needed
        environment = {**os.environ, "TMPDIR": str(long), "XDG_RUNTIME_DIR": short}
        ended = orch(tmp_path, "run", "orch.entry_point=own:main", env=environment)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert list(Path(short).iterdir()) == []
    assert logs(tmp_path).strip() == str(long)
    assert list(long.glob("pymp-*")) == []


def test_sockets_go_with_an_orchestrator_that_is_killed(
    waiting: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """The process that forks removes them when it sees that it is alone."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        call = waiting(env={**os.environ, "TMPDIR": short})
        folder = next(Path(short).glob("pymp-*"))
        server = next(pid for pid in children(call.pid) if b"forkserver" in cmdline(pid))
        end = os.pidfd_open(server)
        call.kill()
        (tmp_path / "more").write_text("")
        assert select.select([end], [], [], 60)[0]
        os.close(end)
        assert not folder.exists()


def test_process_that_forks_may_be_stopped_when_the_user_wants_an_end(tmp_path: Path) -> None:
    """One Ctrl-C ends orch although no fork answers, and nothing of it is left."""
    make(tmp_path)
    os.mkfifo(tmp_path / "told")
    (tmp_path / "stopper.py").write_text(
        "import os, signal\n"
        "def main():\n"
        "    server = os.getppid()\n"  # the runner, its keeper, and what forked them
        "    for _ in range(2):\n"
        "        stat = open(f'/proc/{server}/stat').read()\n"
        "        server = int(stat.rpartition(')')[2].split()[1])\n"
        "    os.kill(server, signal.SIGSTOP)\n"
        "    open('told', 'w').write(str(server))\n"
        "    raise SystemExit(1)\n"
    )
    call = subprocess.Popen(
        [ORCH, "run", "x=range(5)", "orch.entry_point=stopper:main"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = int((tmp_path / "told").read_text())
    end = os.pidfd_open(server)
    call.send_signal(signal.SIGINT)
    said, _ = call.communicate(timeout=30)
    assert call.returncode == 130, said
    assert "Traceback" not in said
    assert select.select([end], [], [], 30)[0]
    os.close(end)


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
