"""What is wrong with a store is said in one line, and no password is in it."""

import sqlite3

import pytest

from orchestrator.errors import UsageError
from orchestrator.tracking.store_error_messages import explain


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("HTTPConnectionPool: [Errno 111] Connection refused", "connection refused"),
        ("Read timed out. (read timeout=10)", "did not answer in time"),
        ("API request failed with error code 500 != 200", "(500)"),
        ("API request failed with error code 401 != 200. Response body: ''", "credentials"),
        ("(sqlite3.OperationalError) database is locked", "locked"),
        ("(sqlite3.OperationalError) database or disk is full", "disk of the store is full"),
        ("Detected out-of-date database schema (found version 1)", "older MLflow"),
        ("something new at http://me:secret@server/", "something new at http://server/"),
    ],
)
def test_failure_is_said_in_one_line(message: str, said: str) -> None:
    """For people, who know servers and disks but not the names of our libraries' classes."""
    line = explain(RuntimeError(message + "\nand a second line"))
    assert said in line
    assert "\n" not in line
    assert "secret" not in line


def test_message_for_the_user_is_taken_as_it_is() -> None:
    """The name of its class says nothing more."""
    assert explain(UsageError("it is at\nhttp://me:secret@server/")) == "it is at http://server/"


def test_cause_is_looked_for_below() -> None:
    """MLflow wraps what happened in errors of its own."""
    error = RuntimeError("it failed")
    error.__cause__ = sqlite3.OperationalError("attempt to write a readonly database")
    assert explain(error) == "the store cannot be written: check its permissions"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("attempt to write a readonly database", "the store r/mlflow.db cannot be written: check"),
        ("database is locked", "the store r/mlflow.db is locked"),
        ("no space left on device", "the disk of the store r/mlflow.db is full"),
        ("Connection refused", "the tracking server does not answer"),
    ],
)
def test_store_is_named_where_it_is_a_file(message: str, said: str) -> None:
    assert explain(RuntimeError(message), "sqlite:///r/mlflow.db").startswith(said)
