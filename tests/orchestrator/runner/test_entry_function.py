"""The function of an entry point: found, or missed in one line; apps below other decorators."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
import pytest

from orchestrator.runner.entry_function import (
    MissingFunctionError,
    is_hydra_app,
    load,
    takes_arguments,
    tell_end,
)
from orchestrator.runner.error_line import find_cause


def timed(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def inner(*args: object) -> object:
        return function(*args)

    return inner


@timed
@hydra.main(version_base=None)
def app(_cfg: object) -> None:
    """Do nothing."""


@timed
def no_app(_arguments: list[str]) -> None:
    """Do nothing."""


def test_app_below_another_decorator_is_one() -> None:
    """It reads ``sys.argv``; another function is given its arguments."""
    assert is_hydra_app(app)
    assert not is_hydra_app(no_app)
    assert takes_arguments(no_app)


def test_missing_function_is_one_line_with_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entry_of_test.py").write_text("def cli(): ...\ndef _private(): ...\n")
    (tmp_path / "empty_of_test.py").write_text("from entry_of_test import cli\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingFunctionError) as error:
        load("entry_of_test:main")
    assert str(error.value) == (
        "orch.entry_point: entry_of_test has no function main. Name one that it has: cli."
    )
    with pytest.raises(MissingFunctionError, match="It defines none"):
        load("empty_of_test:main")
    assert load("entry_of_test:cli") is sys.modules["entry_of_test"].cli


class Broken(io.StringIO):
    """A stream of a program's own that fails in its own way."""

    def write(self, text: str) -> int:
        raise KeyError(text)


@pytest.mark.parametrize("stderr", [None, Broken()])
def test_error_is_told_whatever_stderr_is(
    monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO | None
) -> None:
    """It is printed to the first one, then, and handed on."""
    first = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(sys, "__stderr__", first)
    assert tell_end(ValueError("told")) == (1, "ValueError: told\n")
    assert first.getvalue() == "ValueError: told\n"


def test_only_the_error_itself_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A note may hold the traceback of another error; in a chain and in a group, too."""
    first = io.StringIO()
    monkeypatch.setattr(sys, "stderr", first)
    cause, leaf = KeyError("a"), OSError("b")
    error = ExceptionGroup("m", [leaf])
    error.__cause__ = cause
    for each in (cause, leaf, error):
        each.add_note("Traceback (most recent call last):\nMemoryError")
    _, told = tell_end(error)
    assert "MemoryError" not in told
    assert all(part in told for part in ("KeyError: 'a'", "OSError: b", "ExceptionGroup: m"))
    assert first.getvalue().count("MemoryError") == 3


@pytest.mark.parametrize("rest", ["x" * 10_000, "\nxxxxxxxxx" * 10_000])
def test_beginning_of_a_long_message_is_handed_on(
    monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    """Its end alone says nothing."""
    first = io.StringIO()
    monkeypatch.setattr(sys, "stderr", first)
    with pytest.raises(ValueError, match="told") as caught:
        raise ValueError(f"told {rest}")
    _, told = tell_end(caught.value)
    assert find_cause(told, 1).message.startswith("ValueError: told")
    assert first.getvalue().endswith(f"ValueError: told {rest}\n")
