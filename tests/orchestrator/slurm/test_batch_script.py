"""The batch script starts the worker that Slurm's signals reach, with named variables only."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.slurm_settings import SlurmSettings
from orchestrator.slurm.batch_script import (
    PilotCommand,
    find_unexported,
    is_withdrawn,
    options_of,
    write_options,
    write_script,
)
from orchestrator.slurm.submission_records import PilotsFolder, PilotToken

TOKEN = PilotToken("01234567", "orch-toy-01234567", 0, 4, "now")


def test_setup_lines_precede_the_worker() -> None:
    command = PilotCommand(Path("/results/my exp"), Path("/my project"), 1)
    settings = SlurmSettings(setup=("module load cuda", "ulimit -c 0"))
    lines = write_script(command, settings, "01234567").splitlines()
    assert lines[:3] == ["#!/bin/bash", "cd '/my project' || exit", "export ORCH_PILOT=01234567"]
    assert lines[3:5] == ["module load cuda", "ulimit -c 0"]
    assert lines[5].startswith("exec /")
    assert lines[5].endswith(" -P -m orchestrator work '/results/my exp' --runs 1")
    subprocess.run(["bash", "-n"], input="\n".join(lines), text=True, check=True)


def test_only_named_variables_are_exported() -> None:
    """Slurm keeps what it is given in its own folder, secrets too."""
    settings = SlurmSettings(export=("HF_HOME", "MISSING"))
    environment = {"PATH": "/bin", "API_KEY": "secret", "HF_HOME": "/data", "SLURM_JOB_ID": "1"}
    options = write_options(settings, (), environment)
    assert "--export=PATH,HF_HOME" in options
    assert "--export=NONE" in write_options(SlurmSettings(), (), {})


def test_options_of_the_user_come_first_and_ours_hold() -> None:
    settings = SlurmSettings(time=5400, grace=90)
    options = write_options(settings, ("--partition=gpu",), {})
    assert options[0] == "--partition=gpu"
    assert {"--no-requeue", "--signal=B:TERM@90", "--time=0-01:30:00"} <= set(options)
    assert not any(each.startswith("--time") for each in write_options(SlurmSettings(), (), {}))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), ["--exclude=n1,n2"]),
        (("--exclude=n7", "-x", "n8"), ["--exclude=n7,n8,n1,n2"]),
        (("-xn9",), ["--exclude=n9,n1,n2"]),
    ],
)
def test_nodes_that_the_user_excludes_stay_excluded(
    given: tuple[str, ...], expected: list[str]
) -> None:
    """The last option wins."""
    found = options_of(TOKEN, "log", given, ("n1", "n2"))
    assert [each for each in found if each.startswith("--exclude")][-1:] == expected


def test_submission_is_named_after_its_token() -> None:
    found = options_of(TOKEN, "/p/01234567_%a.log", ("--gres=gpu:1",), ())
    assert found == [
        "--gres=gpu:1",
        "--job-name=orch-toy-01234567",
        "--array=0-3",
        "--output=/p/01234567_%a.log",
    ]


def test_worker_knows_whether_it_is_a_pilot_that_is_not_needed(tmp_path: Path) -> None:
    folder = PilotsFolder(tmp_path)
    folder.path.mkdir()
    assert not is_withdrawn(tmp_path, {})
    assert not is_withdrawn(tmp_path, {"ORCH_PILOT": TOKEN.nonce})
    folder.withdraw(replace(TOKEN, job="7"))
    assert is_withdrawn(tmp_path, {"ORCH_PILOT": TOKEN.nonce})
    assert not is_withdrawn(tmp_path, {})


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (SlurmSettings(), ["DATA"]),
        (SlurmSettings(export=("DATA",)), []),
        (SlurmSettings(setup=("module load x", "export DATA=/scratch")), []),
        (SlurmSettings(setup=("export MYDATA=/scratch",)), ["DATA"]),
    ],
)
def test_variables_that_no_pilot_gets_are_known(
    settings: SlurmSettings, missing: list[str]
) -> None:
    assert find_unexported(settings, {"DATA", "HOME", "PATH"}) == missing
