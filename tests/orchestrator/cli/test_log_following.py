"""Logs: which one is followed, and how its end is found without reading all of it."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli import log_following
from orchestrator.cli.log_following import choose_log, open_log, seek_to_tail
from orchestrator.errors import UsageError
from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory


@pytest.fixture
def directory(experiment: ExperimentDirectory, runs: list[Run]) -> RunDirectory:
    """Return the directory of a run with the logs of two attempts."""
    directory = experiment.create(runs[0])
    for attempt in (1, 2):
        log = directory.attempt_log(attempt)
        log.parent.mkdir(exist_ok=True)
        log.write_text(f"attempt {attempt}\n")
    return directory


def test_log_of_the_last_attempt_is_chosen_by_default(directory: RunDirectory) -> None:
    assert choose_log(directory, None) == directory.attempt_log(2)
    assert choose_log(directory, 1) == directory.attempt_log(1)


def test_missing_log_is_refused_with_those_that_exist(directory: RunDirectory) -> None:
    with pytest.raises(UsageError, match=r"no log of attempt 3: it has attempt-001\.log, attempt"):
        choose_log(directory, 3)


def test_run_without_a_log_says_why(experiment: ExperimentDirectory, runs: list[Run]) -> None:
    with pytest.raises(UsageError, match="has no log: it has not run yet"):
        choose_log(experiment.create(runs[1]), None)


def test_log_is_opened_only_if_it_is_a_regular_file(directory: RunDirectory) -> None:
    """A link could lead anywhere."""
    with open_log(directory.attempt_log(1)) as file:
        assert file.read() == b"attempt 1\n"
    directory.attempt_log(2).unlink()
    directory.attempt_log(2).symlink_to("attempt-001.log")
    with pytest.raises(UsageError, match=r"attempt-002\.log"):
        open_log(directory.attempt_log(2))


@given(
    content=st.lists(st.sampled_from([b"", b"a", b"bc", b"\n"]), max_size=12).map(b"\n".join),
    lines=st.integers(1, 6),
    piece=st.integers(1, 7),
)
def test_tail_is_the_last_lines(content: bytes, lines: int, piece: int) -> None:
    """Whatever the size of the pieces in which the file is read from its end."""
    file = io.BytesIO(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_following, "_PIECE", piece)
        seek_to_tail(file, lines)
    assert file.read() == b"".join(content.splitlines(keepends=True)[-lines:])
