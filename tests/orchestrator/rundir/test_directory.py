"""A run directory says what is true, whatever was done to it."""

import errno
import json
import os
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import Run, identify
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.run_summary import report_on, report_on_seen
from orchestrator.rundir.state import Progress, Record, State, Status, Unreadable


def status(record: Record, attempt: int = 1) -> Status:
    return Status(record=record, attempt=attempt, started_at="then", host="box", pid=1)


def test_new_directory_is_complete_and_pending(directory: RunDirectory) -> None:
    """It has its config, its identity and its lock, and nothing has run."""
    names = sorted(path.name for path in directory.path.iterdir())
    assert names == ["config.yaml", "run.json", "run.lock"]
    assert OmegaConf.load(directory.config) == {"seed": 0, "lr": 0.1}
    assert directory.observe().state is State.PENDING
    assert directory.read_chosen().overrides == {"seed": 0}


def test_config_leaves_out_what_only_the_orchestrator_reads(
    experiment: ExperimentDirectory,
) -> None:
    """Filters and orchestrator settings are not the run's business."""
    run = identify({"seed": 1, "_filters": ["a == 1 ! b == 1"], "orch": {"workers": 2}}, {})
    assert OmegaConf.load(experiment.create(run).config) == {"seed": 1}


def test_text_that_looks_like_a_number_stays_text(experiment: ExperimentDirectory) -> None:
    """The trainer reads the values that were hashed, not what YAML makes of them."""
    config = {"a": "1e-3", "b": "true", "c": "null", "d": "0x10", "e": 1e-5, "f": "12:30:00"}
    directory = experiment.create(identify(config, {}))
    assert OmegaConf.to_container(OmegaConf.load(directory.config)) == config


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (Record.RUNNING, State.STALE),
        (Record.INTERRUPTED, State.STALE),
        (Record.FAILED, State.FAILED),
        (Record.DONE, State.DONE),
    ],
)
def test_state_with_a_free_lock_follows_from_the_record(
    directory: RunDirectory, record: Record, state: State
) -> None:
    """What the last attempt wrote decides when nobody lives."""
    directory.write_status(status(record))
    assert directory.observe().state is state


def test_looking_changes_nothing(directory: RunDirectory) -> None:
    """Observing leaves every file's time as it was."""
    directory.write_status(status(Record.RUNNING))
    before = {path: path.stat().st_mtime_ns for path in directory.path.rglob("*")}
    directory.observe()
    assert {path: path.stat().st_mtime_ns for path in directory.path.rglob("*")} == before


def test_unreadable_status_is_stale_and_kept_aside(directory: RunDirectory) -> None:
    """The next writer keeps what it could not read."""
    path = directory.path / "status.json"
    path.write_bytes(b"\0" * 30)
    directory.attempt_log(4).parent.mkdir()
    directory.attempt_log(4).touch()
    seen = directory.observe()
    assert seen.state is State.STALE
    assert seen.attempts == 4
    directory.write_status(status(Record.RUNNING, attempt=5))
    aside = list(directory.path.glob("status.json.unreadable-*"))
    assert [each.read_bytes() for each in aside] == [b"\0" * 30]
    assert directory.read_status() == status(Record.RUNNING, attempt=5)


def test_link_pipe_and_folder_in_place_of_the_status_are_unreadable(
    directory: RunDirectory, tmp_path: Path
) -> None:
    """None of them is followed, opened for good or an error."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = directory.path / "status.json"
    for make in (lambda: path.symlink_to(victim), lambda: os.mkfifo(path)):
        make()
        assert isinstance(directory.read_status(), Unreadable)
        path.unlink()
    path.mkdir()
    assert isinstance(directory.read_status(), Unreadable)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("name", ["status.json", "run.lock"])
def test_what_the_disk_refuses_to_show_is_neither_damage_nor_a_reason_to_repeat_a_run(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    directory.write_status(status(Record.DONE if name == "status.json" else Record.RUNNING))
    real = os.open

    def refuse(
        path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        if Path(path).name == name:
            raise OSError(number, os.strerror(number), str(path))
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    seen = directory.observe()
    assert seen.damage
    assert os.strerror(number) in seen.reason
    assert "Move this directory away" not in seen.reason


def test_directory_of_another_config_is_refused(
    experiment: ExperimentDirectory, directory: RunDirectory, runs: list[Run]
) -> None:
    """A digest that differs is an error that says what to do, not a silent reuse."""
    other = experiment.create(runs[1])
    for name in ("run.json", "config.yaml"):
        (directory.path / name).write_bytes((other.path / name).read_bytes())
    with pytest.raises(
        RunDirectoryError,
        match=r"another config, seed is 1 there, 0 here\. Move this directory away",
    ):
        experiment.create(runs[0])


@pytest.mark.parametrize("content", [None, "", "{", "[1]", '{"digest": 5}', "\0" * 9])
@pytest.mark.parametrize(
    ("record", "state"),
    [
        (None, State.PENDING),
        (Record.DONE, State.DONE),
        (Record.FAILED, State.FAILED),
        (Record.INTERRUPTED, State.STALE),
    ],
)
def test_damaged_identity_is_told_and_does_not_change_the_state(
    directory: RunDirectory, content: str | None, record: Record | None, state: State
) -> None:
    """A report never raises: one damaged run does not hide the others, nor counts as another state."""
    if record:
        directory.write_status(status(record))
    if content is None:
        (directory.path / "run.json").unlink()
    else:
        (directory.path / "run.json").write_text(content)
    for report in (
        report_on(directory),
        report_on_seen(f"{directory.path}", directory.observe()),
    ):
        assert report.seen.state is state
        assert f"{directory.path}/run.json: " in report.seen.reason


@pytest.mark.parametrize("record", [Record.DONE, Record.FAILED, Record.INTERRUPTED])
def test_report_has_the_progress_of_now_and_the_state_that_is_known(
    directory: RunDirectory, record: Record
) -> None:
    """So the table of many runs and the line below it, which counts their states, are of one look."""
    directory.write_status(status(record))
    known = directory.observe()
    (directory.path / "status.json").unlink()
    (directory.path / "progress.json").write_text('{"iteration": 2, "iterations": 3}')
    report = report_on_seen(f"{directory.path}", known, {"seed": 1})
    assert (report.seen, report.overrides) == (known, {"seed": 1})
    assert report.progress == Progress(2, 3, {})


def test_note_of_the_program_is_a_notice(directory: RunDirectory) -> None:
    """On one line without terminal codes, however long it is."""
    note = "max_epochs is not read\n\x1b[2J" + "x" * 1000
    text = json.dumps({"iteration": 1, "iterations": 2, "note": note})
    (directory.path / "progress.json").write_text(text)
    (notice,) = directory.notices()
    assert notice.startswith("max_epochs is not read")
    assert len(notice.splitlines()) == 1
    assert "\x1b" not in notice
    assert len(notice) == 500
