"""The reporter's process."""

from __future__ import annotations

import os

import pytest

from orchestrator.tracking.__main__ import log_in


def test_password_of_a_server_leaves_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow writes addresses into errors; user and password it takes apart."""
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "")
    assert log_in("https://me:p%40ss@server:5000/x") == "https://server:5000/x"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "p@ss"  # noqa: S105 # no real one
    assert log_in("sqlite:////x/mlflow.db") == "sqlite:////x/mlflow.db"
