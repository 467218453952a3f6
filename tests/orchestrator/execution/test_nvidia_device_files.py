"""Whether there is a driver is told by its device files."""

from pathlib import Path

import pytest

from orchestrator.execution import nvidia_device_files


def test_driver_is_there_if_any_device_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia_device_files, "_DEVICES", (f"{tmp_path}/a", f"{tmp_path}/b"))
    assert not nvidia_device_files.has_driver()
    (tmp_path / "b").touch()
    assert nvidia_device_files.has_driver()
