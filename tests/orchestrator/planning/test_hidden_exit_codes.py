"""A pipe at the end of a script hides how the program before it has ended."""

import pytest

from orchestrator.planning.hidden_exit_codes import filter_that_hides


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["bash", "-c", "python train.py | tee log"], "tee"),
        (["/bin/sh", "-c", "python train.py lr={lr} 2>&1 | tee -a log | cat"], "cat"),
        (["bash", "-lc", "cd x && python train.py |& /usr/bin/tee log;"], "tee"),
        (["zsh", "-e", "-c", "date\npython train.py | tail -n 99 &"], "tail"),
    ],
)
def test_filter_at_the_end_of_a_pipe_is_named(command: list[str], name: str) -> None:
    assert filter_that_hides(command) == name


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["python", "train.py", "a | tee log"],
        ["bash", "train.sh"],
        ["bash", "-c"],
        ["bash", "-c", ""],
        ["bash", "-c", "|"],
        ["bash", "-c", "| tee"],
        ["bash", "-c", "python train.py"],
        ["bash", "-c", "set -o pipefail; python train.py | tee log"],
        ["bash", "-o", "pipefail", "-c", "python train.py | tee log"],
        ["bash", "-c", "yes | python train.py"],
        ["bash", "-c", "head -3 x | tee y; python train.py"],
        ["bash", "-c", "python train.py || tee"],
        ["bash", "-c", "python train.py 'a | tee'"],
        ["bash", "-c", 'python train.py "a | tee $x"'],
        ["bash", "-c", "python train.py $(cat x | head)"],
    ],
)
def test_other_commands_hide_nothing(command: list[str]) -> None:
    """Nor a program that reads the pipe itself."""
    assert filter_that_hides(command) == ""
