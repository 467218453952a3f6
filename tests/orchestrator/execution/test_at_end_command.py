"""The command at the end is told, has limited time, and its failure is one line."""

import time
from pathlib import Path

import pytest

from orchestrator.execution.at_end_command import tell


def test_summary_is_on_its_input(tmp_path: Path) -> None:
    """Also one that is larger than any pipe, and that the command does not read."""
    summary = b"x" * 1_000_000
    assert tell(["sh", "-c", f"cat > {tmp_path}/told"], summary, lambda: False) == ""
    assert (tmp_path / "told").read_bytes() == summary
    assert tell(["true"], summary, lambda: False) == ""


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["no-such-program"], "cannot start 'no-such-program': No such file or directory"),
        (["a\0b"], "cannot start 'a\\x00b': embedded null byte"),
        (["false"], "exit code 1"),
        (["sh", "-c", "echo a; echo 'b\tc' >&2; exit 7"], "exit code 7: b?c"),
        (["sh", "-c", "kill -9 $$"], "killed by SIGKILL"),
    ],
)
def test_failure_is_one_line(command: list[str], why: str) -> None:
    assert tell(command, b"", lambda: False) == why


def test_output_without_end_does_not_fill_the_disk() -> None:
    """The file is emptied while the command writes, and the last line is told all the same."""
    large = "[ $(stat -Lc %s /proc/$$/fd/1) -gt 1000 ]"
    script = f"head -c 5000 /dev/zero; while {large}; do sleep 0.01; done; echo last >&2; exit 3"
    found = tell(["sh", "-c", script], b"", lambda: False, most_output=1000)
    assert found == "exit code 3: last"


def test_program_that_the_command_leaves_behind_can_go_on_writing(tmp_path: Path) -> None:
    """It may be the next grid."""
    written = tmp_path / "written"
    script = (
        f"(while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; echo on && echo yes > {written}) &"
    )
    assert tell(["sh", "-c", script], b"", lambda: False) == ""
    (tmp_path / "go").touch()
    while not (written.exists() and written.read_text()):
        time.sleep(0.01)
    assert written.read_text() == "yes\n"


def test_command_that_takes_too_long_is_killed_with_its_processes(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    pid = tmp_path / "pid"

    def give_up() -> bool:
        return pid.exists() and pid.read_text().strip() != ""

    assert tell(["sh", "-c", script], b"", give_up) == "it was interrupted"
    process = Path(f"/proc/{pid.read_text().strip()}/stat")
    while process.exists() and ") Z" not in process.read_text():
        time.sleep(0.01)
    assert tell(["sleep", "60"], b"", lambda: False, longest=0) == "it took longer than 0 s"
