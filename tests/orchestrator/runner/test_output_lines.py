"""The lines in which an error is searched are plain, and bounded in number and length."""

import json

from orchestrator.runner.output_lines import lines_of


def test_colours_and_carriage_returns_are_no_part_of_lines() -> None:
    said = "\x1b[31m 50%|##  |\r100%|####|\r\nKeyError: 'x'\x1b[0m  \n"
    assert lines_of(said) == [" 50%|##  |", "100%|####|", "KeyError: 'x'", ""]


def test_traceback_behind_a_bar_begins_a_line() -> None:
    header = "Traceback (most recent call last):"
    assert lines_of(f"3/9 [00:00]{header}\nE: x") == ["3/9 [00:00]", header, "E: x"]


def test_long_line_keeps_its_ends() -> None:
    """The exit code of a long command stands behind it."""
    error = "CalledProcessError: Command 'train"
    status = "returned non-zero exit status 3."
    (line,) = lines_of(f"{error} {'--x ' * 10_000}' {status}")
    assert line.startswith(error)
    assert line.endswith(status)
    assert len(line) < 9000


def test_record_in_json_is_kept_whole() -> None:
    record = json.dumps({"exception": "x" * 100_000})
    assert lines_of(record) == [record]


def test_last_lines_are_kept() -> None:
    lines = lines_of("x\n" * 100_000 + "told")
    assert len(lines) < 50_000
    assert lines[-1] == "told"
