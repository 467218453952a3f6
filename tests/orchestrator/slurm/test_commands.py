"""The commands of Slurm answer, refuse, or say nothing, and these are three things."""

import os
import time
from collections.abc import Callable

import pytest

from orchestrator.errors import UsageError
from orchestrator.slurm.commands import (
    Slurm,
    SlurmAnswer,
    StartedCommand,
    require_slurm,
    time_left,
    understand,
    wait_for,
)

StandIn = Callable[[str, str], None]


def test_job_is_submitted_with_its_script(stand_in: StandIn, tmp_path: object) -> None:
    stand_in("sbatch", f'echo "$@" > {tmp_path}/words; cat > {tmp_path}/script; echo "17;cluster"')
    read, write = os.pipe()
    os.close(write)
    answer = wait_for(Slurm().submit(["--array=0-1"], "#!/bin/bash\n", read))
    os.close(read)
    assert answer == SlurmAnswer("17;cluster\n")
    with open(f"{tmp_path}/words") as words, open(f"{tmp_path}/script") as script:  # noqa: PTH123
        assert (words.read(), script.read()) == ("--parsable --array=0-1\n", "#!/bin/bash\n")


def test_lock_is_held_as_long_as_sbatch_is_at_work(stand_in: StandIn) -> None:
    """The descriptor is inherited, and closed with the process."""
    stand_in("sbatch", "cat > /dev/null; exec sleep 600")
    read, write = os.pipe()
    call = Slurm().submit([], "", write)
    os.close(write)
    os.set_blocking(read, False)
    with pytest.raises(BlockingIOError):
        os.read(read, 1)
    assert isinstance(call, StartedCommand)
    call._until = 0.0
    assert wait_for(call).is_none
    os.set_blocking(read, True)
    assert os.read(read, 1) == b""
    os.close(read)


@pytest.mark.parametrize(
    "errors",
    [
        "",
        "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "squeue: error: slurm_receive_msg: Zero Bytes were transmitted or received",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        "slurm_load_jobs error: Protocol authentication error",
    ],
)
def test_no_answer_is_not_an_answer(errors: str) -> None:
    answer = understand(1, "", errors)
    assert (answer.is_none, answer.is_given) == (True, False)


@pytest.mark.parametrize(
    ("errors", "why"),
    [
        (
            (
                "sbatch: error: invalid partition specified: foo\nsbatch: error: Batch job submission"
                " failed: Invalid partition name specified"
            ),
            (
                "invalid partition specified: foo Batch job submission failed: Invalid partition name"
                " specified"
            ),
        ),
        ("slurm_load_jobs error: Invalid job id specified", "Invalid job id specified"),
    ],
)
def test_refusal_is_told_in_the_words_of_slurm(errors: str, why: str) -> None:
    answer = understand(1, "", errors)
    assert (answer.refusal, answer.is_none, answer.is_given) == (why, False, False)


def test_command_that_hangs_or_is_killed_has_not_answered(stand_in: StandIn) -> None:
    stand_in("squeue", "kill -9 $$")
    assert wait_for(Slurm().queue(["a"])).is_none
    assert wait_for(StartedCommand(["sleep", "600"], 0.0)).is_none


def test_waiting_for_an_answer_can_be_given_up(stand_in: StandIn) -> None:
    stand_in("squeue", "exec sleep 600")
    call = Slurm().queue(["a"])
    assert wait_for(call, lambda: True).is_none
    assert isinstance(call, StartedCommand)
    call._process.kill()
    wait_for(call)


def test_options_of_the_allocation_around_us_are_not_those_of_a_new_one(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("sbatch", "cat > /dev/null; env | cut -d= -f1 | grep -E '^(SLURM|SBATCH)_'")
    for name in ("SLURM_MEM_PER_CPU", "SLURM_JOB_ID", "SLURM_CONF", "SBATCH_PARTITION"):
        monkeypatch.setenv(name, "1")
    lines = wait_for(Slurm().test([], "")).output.split()
    assert {*lines} == {"SLURM_CONF", "SBATCH_PARTITION"}


def test_host_without_slurm_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"sbatch is not on the PATH\. Start this on a host"):
        require_slurm()


@pytest.mark.parametrize(
    ("body", "seconds"),
    [("echo 1:30", 90), ("echo UNLIMITED", None), ("exit 1", None), ("echo", None)],
)
def test_time_left_is_asked_for(stand_in: StandIn, body: str, seconds: float | None) -> None:
    stand_in("squeue", body)
    assert time_left({"SLURM_JOB_ID": "17"}, time.time(), Slurm()) == seconds
    assert time_left({}, time.time(), Slurm()) is None


def test_newer_slurm_says_when_the_job_ends() -> None:
    given = {"SLURM_JOB_ID": "17", "SLURM_JOB_END_TIME": "1100"}
    assert time_left(given, 1000.0, Slurm()) == 100


def test_time_left_is_unknown_without_squeue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert time_left({"SLURM_JOB_ID": "17"}, 0.0, Slurm()) is None
