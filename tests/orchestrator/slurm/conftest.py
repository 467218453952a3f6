"""Stand-ins for the commands of Slurm, as scripts on the PATH."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return a function that puts a script in place of a command."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def write(command: str, body: str) -> None:
        path = folder / command
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    return write
