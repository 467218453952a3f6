"""Return values come back as they were, where JSON can hold them."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hydra.core.utils import JobReturn, JobStatus

sys.path.append(str(Path(__file__).parents[2] / "hydra_launcher"))

from hydra_plugins.orch_launcher import _return_value
from hydra_plugins.orch_launcher._return_value import WriteReturnValue, read, write


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, None),
        (0.1 + 0.2, 0.1 + 0.2),
        (math.inf, math.inf),
        (True, True),
        ((1.5, 2), [1.5, 2]),
        ({"loss": [1, None, "x"]}, {"loss": [1, None, "x"]}),
        (np.float32(0.5), 0.5),
        ([np.int64(3)], [3]),
    ],
)
def test_value_that_json_can_hold_comes_back(tmp_path: Path, value: Any, found: Any) -> None:
    """Also the numbers of NumPy and PyTorch."""
    write(tmp_path, value)
    assert read(tmp_path) == (True, found)
    assert [path.name for path in tmp_path.iterdir()] == [_return_value.NAME]


@pytest.mark.parametrize("value", [object(), {1: 2}, [object()], SimpleNamespace(item=list)])
def test_other_value_is_not_recorded(
    tmp_path: Path, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so, and the run is done all the same."""
    write(tmp_path, value)
    assert read(tmp_path) == (False, None)
    assert "is not recorded" in caplog.text


@pytest.mark.parametrize("content", ["", "[]", "{", '{"values": 1}'])
def test_damaged_record_is_none(tmp_path: Path, content: str) -> None:
    """It is never an error."""
    (tmp_path / _return_value.NAME).write_text(content)
    assert read(tmp_path) == (False, None)


def test_callback_writes_only_what_was_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing where the function has failed, and nothing outside a run."""
    failed = JobReturn(status=JobStatus.FAILED)
    done = JobReturn(status=JobStatus.COMPLETED, _return_value=1.5)
    monkeypatch.delenv("ORCH_RUN_DIR", raising=False)
    WriteReturnValue().on_job_end(None, done)
    monkeypatch.setenv("ORCH_RUN_DIR", str(tmp_path))
    WriteReturnValue().on_job_end(None, failed)
    assert list(tmp_path.iterdir()) == []
    WriteReturnValue().on_job_end(None, done)
    assert read(tmp_path) == (True, 1.5)


def test_nothing_but_a_file_of_its_own_is_written_or_read(tmp_path: Path) -> None:
    """A link is not followed, and a pipe is not waited for."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    for name in (_return_value.NAME, f".{_return_value.NAME}.new"):
        (run_dir / name).symlink_to(victim)
    assert read(run_dir) == (False, None)
    write(run_dir, 1)
    assert (read(run_dir), victim.read_text()) == ((True, 1), "mine")
    (run_dir / _return_value.NAME).unlink()
    os.mkfifo(run_dir / _return_value.NAME)
    assert read(run_dir) == (False, None)
