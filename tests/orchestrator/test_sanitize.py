"""Text from configs and programs does not control the terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sanitize import (
    HarmlessStream,
    break_between_words,
    harmless,
    one_line,
    path_first,
    printable,
    without_the_middle,
)

SEQUENCE = "\x1b[2J\x07red\x1b]0;title\x9b"


@given(st.text())
def test_printable_text_has_as_many_characters_all_printable(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)


@given(st.text())
def test_harmless_text_keeps_line_breaks_and_tabs_only(text: str) -> None:
    assert harmless(text).replace("\n", "").replace("\t", "").isprintable()


@given(st.text(alphabet="ab", min_size=2900, max_size=3100))
def test_long_text_keeps_its_beginning_and_its_end(text: str) -> None:
    shown = without_the_middle(text)
    assert (shown == text) == (len(text) <= 3000)
    assert len(shown) <= 3000
    assert (shown[:1500], shown[-500:]) == (text[:1500], text[-500:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\r\nb", "a\nb"), ("50 %\r100 %", "50 %\n100 %"), ("a\tb", "a\tb"), ("é", "é")],
)
def test_carriage_return_overwrites_nothing(text: str, expected: str) -> None:
    assert harmless(text) == expected


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device", "/a: b"), "/a: b: No space left on device"),
        (OSError(30, "Read-only", "/x.new", None, "/x"), "/x: Read-only"),
        (OSError(24, "Too many open files"), "Too many open files"),
        (OSError(2, "No such file", "/it's"), '[Errno 2] No such file: "/it\'s"'),
        (OSError("nothing"), "nothing"),
    ],
)
def test_path_of_an_error_comes_first(error: OSError, told: str) -> None:
    """As in all other messages; the target of a rename is where the user looks."""
    assert path_first(str(error)) == told


@given(st.text())
def test_other_messages_stay(text: str) -> None:
    message = f"run.lock: {text}"
    assert path_first(message) == message


@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    assert one_line(text).isprintable()


def test_lines_are_joined_by_a_space() -> None:
    assert one_line("a\nb") == "a b"


def test_stream_writes_without_control_characters_and_reports_the_length_given() -> None:
    written = io.StringIO()
    stream = HarmlessStream(written)
    assert stream.write(SEQUENCE) == len(SEQUENCE)
    assert "\x1b" not in written.getvalue()
    assert "red" in written.getvalue()
    stream.flush()  # an attribute of the wrapped stream


@pytest.mark.parametrize(
    ("line", "width", "told"),
    [
        ("orch: no such key", 17, "orch: no such key"),
        ("orch: no such key", 16, "orch: no such\n      key"),
        (
            "orch: a/path/that-is/long is gone",
            14,
            "orch:\n      a/path/that-is/long\n      is gone",
        ),
        ("orch: no such key", 0, "orch: no such key"),
        (
            """orch: quote it: "+note='a  b (c)'" or so""",
            20,
            """orch: quote it:\n      "+note='a  b (c)'"\n      or so""",
        ),
        ("orch: x=['a b', 'c d'] is odd", 16, "orch: x=['a b',\n      'c d'] is\n      odd"),
        ("orch: a run's key, the user's", 18, "orch: a run's key,\n      the user's"),
        ("orch: 'not closed at all", 20, "orch: 'not closed at\n      all"),
    ],
)
def test_line_breaks_between_words(line: str, width: int, told: str) -> None:
    assert break_between_words(line, width, 6) == told
