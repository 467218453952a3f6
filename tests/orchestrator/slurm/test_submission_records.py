"""Tokens are written before pilots are submitted, and survive the process that submits them."""

import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.slurm.submission_records import PilotsFolder, PilotToken


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[PilotsFolder]:
    found = PilotsFolder(tmp_path)
    assert found.become_controller()
    yield found
    found.leave()


def test_token_is_there_before_the_answer(folder: PilotsFolder) -> None:
    token, lock = folder.begin("my exp/1,2", 1, 4)
    os.close(lock)
    assert folder.tokens() == [token]
    assert (token.job, token.kind, token.count, token.is_over) == ("", 1, 4, False)
    assert token.name == f"orch-my-exp-1-2-{token.nonce}"


def test_sbatch_that_is_still_at_work_is_seen(folder: PilotsFolder) -> None:
    """It has inherited the lock, and may outlive who has started it."""
    token, lock = folder.begin("toy", 0, 1)
    inherited = os.dup(lock)
    os.close(lock)
    assert folder.is_being_submitted(token)
    os.close(inherited)
    assert not folder.is_being_submitted(token)


def test_tokens_are_in_the_order_of_their_submission(folder: PilotsFolder) -> None:
    tokens = []
    for kind in range(3):
        token, lock = folder.begin("toy", kind, 1)
        os.close(lock)
        token = replace(token, submitted_at=f"2026-01-0{kind + 1}")
        folder.write(token)
        tokens.append(token)
    assert folder.tokens() == tokens
    over = folder.close(tokens[0])
    assert folder.tokens() == [over, *tokens[1:]]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"schema": 1}', b"\xff"])
def test_damaged_token_is_ignored(folder: PilotsFolder, content: bytes) -> None:
    (folder.path / "01234567.json").write_bytes(content)
    (folder.path / "other.json").write_bytes(b"{}")
    assert folder.tokens() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"count": 10**12},
        {"kind": -1},
        {"name": "somebody-else,orch-toy-01234567"},
        {"name": "orch-toy-76543210"},
        {"name": None},
    ],
    ids=str,
)
def test_token_with_a_wrong_field_is_ignored(
    folder: PilotsFolder, wrong: dict[str, object]
) -> None:
    """A job of another name is never cancelled, and no memory is taken for a trillion pilots."""
    token = PilotToken("01234567", "orch-toy-01234567", 0, 1, "2026-01-01")
    folder.write(token)
    assert folder.tokens() == [token]
    folder.write(replace(token, **wrong))  # type: ignore[arg-type] # wrong on purpose
    assert folder.tokens() == []


def test_pipe_in_place_of_a_lock_does_not_hang(folder: PilotsFolder) -> None:
    token, lock = folder.begin("toy", 0, 1)
    os.close(lock)
    path = folder.path / f"{token.nonce}.lock"
    path.unlink()
    os.mkfifo(path)
    assert not folder.is_being_submitted(token)


@pytest.mark.parametrize("put", [lambda path: path.symlink_to("elsewhere"), Path.mkdir, os.mkfifo])
def test_whatever_stands_in_place_of_a_sign_says_the_same(
    folder: PilotsFolder, put: Callable[[Path], object]
) -> None:
    """It is not followed, and a request is not refused because of it."""
    token, lock = folder.begin("toy", 0, 1)
    os.close(lock)
    for name in (f"{token.nonce}.withdrawn", f"{token.nonce}_0.begun"):
        put(folder.path / name)
    folder.withdraw(token)
    folder.note_begin(token.nonce, 0)
    assert folder.is_withdrawn(token.nonce)
    assert folder.has_begun(token, 0)
    assert not (folder.path / "elsewhere").exists()
    assert folder.close(token).is_over


def test_only_one_process_submits(folder: PilotsFolder) -> None:
    assert not folder.become_controller()
    descriptor = os.open(folder.path / "controller.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
    folder.leave()
    assert folder.become_controller()


def test_pilot_that_is_not_needed_any_more_ends_at_once(folder: PilotsFolder) -> None:
    token, lock = folder.begin("toy", 0, 1)
    os.close(lock)
    assert not folder.is_withdrawn(token.nonce)
    folder.withdraw(token)
    assert folder.is_withdrawn(token.nonce)
    folder.close(token)
    assert not list(folder.path.glob(f"{token.nonce}.[lw]*"))


def test_logs_are_found_the_newest_first(folder: PilotsFolder, tmp_path: Path) -> None:
    token, lock = folder.begin("toy", 0, 2)
    os.close(lock)
    for at in range(2):
        path = folder.path / f"{token.nonce}_{at}.log"
        path.write_text("said")
        os.utime(path, (at, at))
    assert [path.name for path in folder.logs(token)] == [
        f"{token.nonce}_1.log",
        f"{token.nonce}_0.log",
    ]
    assert folder.log_pattern(token) == f"{tmp_path}/pilots/{token.nonce}_%a.log"


def test_refusal_of_a_pilot_is_told(folder: PilotsFolder) -> None:
    """It concerns all pilots, so the first one that notices says it for all."""
    token, lock = folder.begin("toy", 0, 2)
    os.close(lock)
    assert folder.refusal(token) == ""
    folder.note_refusal(token.nonce, 1, "locks do not\x1b reach")
    assert folder.refusal(token) == "locks do not? reach"
    folder.note_begin(token.nonce, 0)
    assert (folder.has_begun(token, 0), folder.has_begun(token, 1)) == (True, False)
    folder.close(token)
    assert (folder.refusal(token), folder.has_begun(token, 0)) == ("", False)


def test_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """It could lead to a folder of somebody else."""
    (tmp_path / "other").mkdir()
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/pilots").symlink_to(tmp_path / "other")
    with pytest.raises(RunDirectoryError, match="cannot write here"):
        PilotsFolder(tmp_path / "experiment").become_controller()
    assert list((tmp_path / "other").iterdir()) == []
