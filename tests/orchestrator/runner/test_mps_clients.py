"""Clients of MPS are ended in its own way before they are killed; its control program is stood in for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.runner.mps_clients import CONTROL, PIPES, MpsClients, ask_daemon

STAND_IN = Path(__file__).parents[2] / "support/mps_stand_in"


@pytest.fixture
def pipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a daemon that runs."""
    monkeypatch.setenv("PATH", f"{STAND_IN}:{os.environ['PATH']}")
    monkeypatch.setenv(PIPES, str(tmp_path))
    subprocess.run([CONTROL, "-d"], check=True)
    yield tmp_path
    ask_daemon("quit", str(tmp_path))


def asked(pipes: Path) -> list[str]:
    return [each for each in (pipes / "asked").read_text().splitlines() if "start" not in each]


def test_only_clients_are_ended_and_each_once(pipes: Path) -> None:
    """A loader worker is none: it computes nothing on a GPU."""
    (pipes / f"clients/{os.getpid()}").touch()
    (pipes / f"clients/{os.getppid()}").touch()
    clients = MpsClients()
    clients.end([os.getpid(), 1])
    clients.end([os.getpid(), 1])
    assert asked(pipes) == [f"terminate_client 77 {os.getpid()}"]


def test_without_mps_nothing_is_asked(pipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PIPES)
    (pipes / f"clients/{os.getpid()}").touch()
    MpsClients().end([os.getpid()])
    assert asked(pipes) == []


def test_daemon_that_is_gone_or_not_installed_answers_nothing(
    pipes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed nevertheless."""
    assert ask_daemon("get_server_list", str(pipes)) == "77\n"
    ask_daemon("quit", str(pipes))
    assert ask_daemon("get_server_list", str(pipes)) is None
    monkeypatch.setenv("PATH", "/nowhere")
    assert ask_daemon("get_server_list", str(pipes)) is None
    MpsClients().end([os.getpid()])


def test_daemon_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mute = tmp_path / CONTROL
    mute.write_text("#!/bin/sh\nexec sleep 60\n")
    mute.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("orchestrator.runner.mps_clients._LONGEST", 0.1)
    assert ask_daemon("get_server_list", str(tmp_path)) is None
