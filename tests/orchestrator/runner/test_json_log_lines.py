"""The exception in a log record is found, whichever library has printed it."""

import json

import pytest

from orchestrator.runner.json_log_lines import exception_in

TRACEBACK = 'Traceback (most recent call last):\n  File "t.py", line 3\nValueError: told'


@pytest.mark.parametrize(
    "record",
    [
        {"event": "training failed", "level": "error", "exception": TRACEBACK},
        {"levelname": "ERROR", "message": "failed", "exc_info": TRACEBACK},
        {"text": f"2026 | ERROR - failed\n{TRACEBACK}", "record": {"message": "failed"}},
        {
            "event": "x",
            "exception": [{"exc_type": "ValueError", "exc_value": "told", "frames": []}],
        },
        {"err": {"type": "Error", "stack": "ValueError: told\n    at main (t.js:3:7)"}},
    ],
)
def test_exception_in_a_record_is_found(record: dict[str, object]) -> None:
    """That of structlog, python-json-logger, loguru, structlog again, and pino."""
    found = exception_in(json.dumps(record))
    assert found is not None
    assert "ValueError: told" in found


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "{}",
        "{torn}",
        '{"event": "no license", "level": "error"}',
        "[1]",
        "{" * 3000 + "}" * 3000,
        '{"a":' * 9 + json.dumps(TRACEBACK) + "}" * 9,
    ],
)
def test_other_lines_have_none(line: str) -> None:
    """Also those that Python refuses to read, or that hide it deeply."""
    assert exception_in(line) is None
