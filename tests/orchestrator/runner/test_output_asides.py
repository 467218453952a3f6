"""Lines that say nothing about an end are told from those that do."""

import pytest

from orchestrator.runner.output_asides import is_aside, last_report, without_asides


@pytest.mark.parametrize(
    "lines",
    [
        # the commands time: of GNU, with -p, of bash and of zsh
        ["Command exited with non-zero status 3", "0.01user 0.00system 0:00.01elapsed 93%CPU (0avgtext+0avgdata 50maxresident)k", "0inputs+0outputs (0major+700minor)pagefaults 0swaps"],
        ["Command exited with non-zero status 3", "\tUser time (seconds): 0.01", "\tExit status: 3"],
        ["real 0.01", "user 0.00", "sys 0.00"],
        ["real\t0m0.001s", "user\t0m0.000s", "sys\t0m0.000s"],
        ["python t.py  0.01s user 0.00s system 93% cpu 0.011 total"],
        ["0+1 records in", "0+0 records out", "0 bytes copied, 9.0278e-05 s, 0.0 kB/s"],
        ["1024 bytes (1.0 kB, 1.0 KiB) copied, 0.01 s, 1 MB/s"],
        ["tar: Error is not recoverable: exiting now"],
        ["rsync error: error in file IO (code 11) at receiver.c(381)"],
        ["error Command failed with exit code 1.", "info Visit https://yarnpkg.com/en/docs/cli/run for help"],
        ["\u2009ELIFECYCLE\u2009 Command failed with exit code 1."],
        ["ninja: build stopped: subcommand failed."],
        ["1 error", "error: compilation failed"],
        ["==77==ABORTING"],
        ["1 failed in 0.32s"],
        ["======= 1 failed, 2 passed in 0.32s ======="],
        ["Try 'cp --help' for more information."],
        ["Run 'docker run --help' for more information"],
        ["Usage: train [OPTIONS]", "For more information, try '--help'."],
        [" 40%|####      | 40/100 [00:00<00:00, 28069.63it/s]"],
        ["Epoch 0:  40%|####      | 40/100 [00:00<00:00, 28069.63it/s]"],
        ["t.py:3: UserWarning: old", "  warn('old')"],
    ],
)  # fmt: skip
def test_last_lines_of_tools_are_asides(lines: list[str]) -> None:
    """Behind the line of the program that says why."""
    assert without_asides(["", "lost shard 4", *lines]) == ["lost shard 4"]


@pytest.mark.parametrize(
    "line",
    [
        "real time is over",
        "lost 3 records",
        "tar: x: Cannot write: No space left on device",
        "error: lost",
        "see the docs of --help",
        "usage: train.py",
        "1 failed shard",
        "40% of 100",
    ],
)
def test_other_lines_are_kept(line: str) -> None:
    assert not is_aside(line)


def test_report_counts_if_there_is_nothing_else() -> None:
    said = ["error: Recipe `train` failed on line 3 with exit code 1", ""]
    assert without_asides(said) == []
    assert last_report(said) == said[0]
    assert last_report(["t.py:3: UserWarning: old"]) == ""
