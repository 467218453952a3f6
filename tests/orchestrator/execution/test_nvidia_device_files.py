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


def test_gpu_has_a_file_of_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia_device_files, "_DEVICE", f"{tmp_path}/card{{}}")
    (tmp_path / "card3").touch()
    assert [nvidia_device_files.has_device(number) for number in (0, 3)] == [False, True]
