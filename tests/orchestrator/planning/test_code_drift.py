"""Drift in words; the tests of ``orch plan`` compare runs with files that change."""

import pytest

from orchestrator.planning.code_drift import Drift, DriftCounts, drift_as_json, without_incidentals

CODE = DriftCounts(2, ("model.py",), other_code=2)
COMMAND = DriftCounts(1, (), other_command=1)
MANY = DriftCounts(3, tuple(f"m{number}.py" for number in range(5)), other_code=3, other_command=1)


@pytest.mark.parametrize(
    ("drift", "line"),
    [
        (Drift(), ""),
        (Drift(done=CODE), "2 done runs were made by other code: model.py"),
        (Drift(done=COMMAND), "1 done run was made by another command"),
        (
            Drift(done=COMMAND, begun=CODE),
            (
                "1 done run was made by another command;"
                " 2 unfinished runs were begun by other code: model.py"
            ),
        ),
        (
            Drift(begun=MANY),
            (
                "3 unfinished runs were begun by other code: m0.py, m1.py, m2.py and 2 more;"
                " 1 unfinished run was begun by another command"
            ),
        ),
    ],
)
def test_drift_is_told_in_one_line(drift: Drift, line: str) -> None:
    """Finished runs first, code before commands; nothing where nothing differs."""
    assert str(drift) == line


def test_json_has_the_counts_and_all_files() -> None:
    """Also where the line names only some of them."""
    printed = drift_as_json(Drift(done=MANY))
    assert printed["done"] == {
        "runs": 3,
        "other_code": 3,
        "other_command": 1,
        "files": ["m0.py", "m1.py", "m2.py", "m3.py", "m4.py"],
    }


def test_credential_in_an_earlier_record_is_no_other_command() -> None:
    """Earlier versions concealed fewer."""
    recorded = ["train", "--password", "sesame-open"]
    assert without_incidentals(recorded) == without_incidentals(["train", "--password", "***"])
