"""A run is named by its ID, or by how it begins."""

import pytest

from orchestrator.cli.lookup import find_run
from orchestrator.errors import UsageError
from orchestrator.grid.identity import RunId

RUNS = [RunId(f"{start}{'0' * 12}") for start in ("8d6b", "8d70", "2fa1", "abcd")]


@pytest.mark.parametrize("name", ["8d6b", "8d6", "8D6B", RUNS[0]])
def test_any_beginning_that_only_one_run_has_names_it(name: str) -> None:
    """As short as it may be, in any case."""
    assert find_run(name, RUNS) == RUNS[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "8d",
            "2 run IDs start with '8d': 8d6b000000000000, 8d70000000000000. Give more characters.",
        ),
        ("abdc000000000000", "no run ID starts with 'abdc000000000000'. Did you mean abcd0000"),
        ("zz", "no run ID starts with 'zz'. orch status lists the runs."),
        ("", "no run ID starts with ''"),
        ("seed=0", "no run ID starts with 'seed=0'"),
        ("8d7c", "no run ID starts with '8d7c'. Did you mean 8d70000000000000?"),
        ("0000", "no run ID starts with '0000'. orch status lists the runs."),
    ],
)
def test_name_of_no_run_or_of_several_is_refused(name: str, message: str) -> None:
    """One line, with the candidates or the nearest."""
    with pytest.raises(UsageError) as refusal:
        find_run(name, RUNS)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_of_many_candidates_a_few_are_named() -> None:
    """The line stays one to read."""
    with pytest.raises(UsageError, match=r"20 run IDs start with '1': .* and 15 more"):
        find_run("1", [RunId(f"1{number:015}") for number in range(20)])
