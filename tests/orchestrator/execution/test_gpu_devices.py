"""Whether there is a driver is told by its device files."""

from pathlib import Path

import pytest

from orchestrator.execution import gpu_devices


def test_driver_is_there_if_any_device_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_devices, "_DEVICES", (f"{tmp_path}/a", f"{tmp_path}/b"))
    assert not gpu_devices.has_driver()
    (tmp_path / "b").touch()
    assert gpu_devices.has_driver()
