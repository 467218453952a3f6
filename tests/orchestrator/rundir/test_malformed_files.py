"""A file of another shape is named once, with the shape that is expected."""

from pathlib import Path

import pytest

from orchestrator.rundir.malformed_files import describe_odd_files

POINT = '{"key": "loss", "value": 0.5, "step": 3}\n'


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("progress.json", '{"epoch": 3, "total": 10}', "progress.json: what is not of the shape"),
        ("progress.json", "[]", '{"iteration": 3, "iterations": 10} is ignored'),
        ("results.json", '{"accuracy": 0.9}', '{"test": {"accuracy": 0.9}} is ignored'),
        ("results.json", '{"test": {"curve": [1]}}', "results.json, test.curve: what is not"),
        ("results.json", "{", "results.json: what is not of the shape"),
        ("metrics.jsonl", POINT + '{"step": 1, "loss": 0.5}\n' * 9, "metrics.jsonl, line 2: what"),
        ("metrics.jsonl", "epoch,loss\n1,0.5\n", '{"key": "loss", "value": 0.5, "step": 3}'),
        (
            "metrics.jsonl",
            POINT * 9000 + '{"loss": 1}\n' + POINT,
            "metrics.jsonl, one of its last lines",
        ),
    ],
)
def test_file_of_another_shape_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    (line,) = describe_odd_files(f"{tmp_path}")
    assert said in line


def test_files_of_the_shape_expected_are_not_mentioned(tmp_path: Path) -> None:
    assert describe_odd_files(f"{tmp_path}") == ()
    (tmp_path / "progress.json").write_text('{"iteration": 0, "iterations": 3}')
    (tmp_path / "results.json").write_text('{"test": {"loss": "NaN"}, "more": 1}')
    (tmp_path / "metrics.jsonl").write_text(POINT + "\n" + POINT + '{"key": "torn')
    assert describe_odd_files(f"{tmp_path}") == ()
