"""The scripts of ``orch completion`` complete in the shells that are installed."""

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.main import call

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_one_that_its_shell_accepts(
    shell: str, output: Callable[[], str], tmp_path: Path
) -> None:
    assert call(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(output())
    assert f"orch completion {shell}" in script.read_text()
    if program := shutil.which(shell):
        subprocess.run([program, "-n", script], check=True)


# In place of orch, when a line is entered, these show the arguments.
SHOW = 'orch() { [ "$1" = __complete ] && command orch "$@" || printf "<<%s>>\\n" "$*"; }\n'
SHOW_FISH = """
function orch
    if test $argv[1] = __complete; command orch $argv; else; printf "<<%s>>\\n" "$argv"; end
end
"""
FILES = {
    ".bashrc": f"""eval "$(orch completion bash)"; PS1="ready "\n{SHOW}""",
    ".zshrc": f"""autoload -Uz compinit; compinit -u -D; eval "$(orch completion zsh)"
        PS1="ready "\n{SHOW}""",
    "fish/config.fish": f"""orch completion fish | source; function fish_prompt; printf "ready "; end
        {SHOW_FISH}""",
    "conf/config.yaml": "experiment_id: mine\nresults_dir: results\noptimizer: {lr: 0.1}\nfriends: 2\n",
    "conf/model/small.yaml": "hidden: 1\n",
    "conf/model/wide.yaml": "hidden: 2\n",
    "results/mine/training/50021b22aaaaaaaa/run.json": "",
    "results/mine/training/5b99bd4abbbbbbbb/run.json": "",
}
START = {"bash": ["--rcfile", ".bashrc", "-i"], "zsh": ["-i"], "fish": ["-i"]}


@pytest.fixture
def type_into(tmp_path: Path) -> Callable[[str, list[str]], list[str]]:
    """Return a function that types lines into a shell on a terminal, and returns what it executes."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    folders = dict.fromkeys(("HOME", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), f"{tmp_path}")
    environment = os.environ | folders | {"PATH": PATH, "TERM": "xterm"}

    def type_lines(shell: str, lines: list[str]) -> list[str]:
        terminal, other_end = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        # setsid makes it the terminal of the shell, which could not be interactive otherwise.
        process = subprocess.Popen(
            ["setsid", "--ctty", shell, *START[shell]],
            **dict.fromkeys(("stdin", "stdout", "stderr"), other_end),
            cwd=tmp_path,
            env=environment,
        )
        os.close(other_end)
        found = []
        try:
            for line in lines:
                _read_until(terminal, b"ready ")
                os.write(terminal, f"{line}\t\n".encode())
                _read_until(terminal, b"<<")
                found.append(_read_until(terminal, b">>"))
            return found
        finally:
            os.close(terminal)
            process.kill()
            process.wait()

    return type_lines


def _read_until(terminal: int, end: bytes) -> str:
    """Return what a terminal shows up to ``end``, which need not be at the end of what it has sent."""
    seen = b""
    while not seen.endswith(end):
        assert select.select([terminal], [], [], 20)[0], seen
        seen += os.read(terminal, 1)
    return seen.removesuffix(end).decode().strip()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_tab_completes_in_an_interactive_shell(
    shell: str, type_into: Callable[[str, list[str]], list[str]]
) -> None:
    """Commands, options and their values, groups, keys and runs, wherever the command stands."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    expected = {
        "orch sta": "status",
        "orch run --work": "run --workers",
        "orch status --state fa": "status --state failed",
        "orch status --state=fa": "status --state=failed",
        "orch run model=w": "run model=wide",
        "orch run model=small,w": "run model=small,wide",
        "orch run 'model=w": "run model=wide",
        "orch run optimizer.l": "run optimizer.lr=",
        "orch run model=wide fri": "run model=wide friends=",
        "orch show 5002": "show 50021b22",
        "orch show 5002 5b": "show 5002 5b99bd4a",
        "true && X=1 orch -cd conf plan fri": "-cd conf plan friends=",
    }
    assert type_into(shell, [*expected]) == [*expected.values()]
