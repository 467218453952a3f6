"""The peak memory of runs is learned per combination of the axes that matter, and never guessed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution.cost_model import marks_of
from orchestrator.execution.peak_memory import PeakMemory
from orchestrator.grid.config_values import Value


def learned(*peaks: tuple[dict[str, Value], int]) -> PeakMemory:
    found = PeakMemory()
    for point, peak in peaks:
        found.note(marks_of(point), peak)
    return found


def test_nothing_is_known_of_values_that_no_run_has_had() -> None:
    found = learned(({"batch": 32}, 100))
    assert found.expect(marks_of({"batch": 64})) is None
    assert PeakMemory().expect(marks_of({})) is None


def test_seed_does_not_matter() -> None:
    found = learned(({"batch": 32, "seed": 0}, 100), ({"batch": 32, "seed": 1}, 104))
    assert found.expect(marks_of({"batch": 32, "seed": 2})) == 104


def test_axis_with_equal_peaks_does_not_matter() -> None:
    """Two runs that differ in nothing else tell that, for all values of it and of the others."""
    found = learned(({"lr": 0.1, "batch": 32}, 100), ({"lr": 0.2, "batch": 32}, 101))
    assert found.expect(marks_of({"lr": 0.3, "batch": 32})) == 101
    assert found.expect(marks_of({"lr": 0.3, "batch": 64})) is None
    found.note(marks_of({"lr": 0.1, "batch": 64}), 200)
    assert found.expect(marks_of({"lr": 0.3, "batch": 64})) == 200


def test_axis_that_matters_anywhere_matters_everywhere() -> None:
    found = learned(
        ({"heads": 1, "model": "mlp"}, 100),
        ({"heads": 2, "model": "mlp"}, 100),
        ({"heads": 1, "model": "vit"}, 300),
        ({"heads": 2, "model": "vit"}, 500),
    )
    assert found.expect(marks_of({"heads": 4, "model": "mlp"})) is None
    assert found.expect(marks_of({"heads": 2, "model": "vit"})) == 500


def test_run_that_used_more_counts() -> None:
    found = learned(({"batch": 32}, 100), ({"batch": 32}, 90), ({"batch": 32}, 150))
    assert found.expect(marks_of({"batch": 32})) == 150
    assert found.typical == 150
    assert PeakMemory().typical is None


def test_out_of_memory_is_doubted_until_a_run_has_ended() -> None:
    """What others use so far does not tell how much it will be."""
    found = learned(({"batch": 32, "lr": 1}, 100), ({"batch": 32, "lr": 2}, 100))
    found.doubt(marks_of({"batch": 32, "lr": 3}))
    found.note(marks_of({"batch": 32, "lr": 1}), 120, is_final=False)
    assert found.expect(marks_of({"batch": 32, "lr": 1})) is None
    found.note(marks_of({"batch": 32, "lr": 3}), 700)
    assert found.expect(marks_of({"batch": 32, "lr": 3})) == 700


values = st.fixed_dictionaries({"a": st.integers(0, 2), "b": st.integers(0, 2)})


@given(st.lists(st.tuples(values, st.integers(1, 1000)), max_size=20))
def test_expected_is_at_least_what_a_run_like_it_used(
    runs: list[tuple[dict[str, Value], int]],
) -> None:
    """However the axes turn out to matter."""
    found = learned(*runs)
    for point, peak in runs:
        expected = found.expect(marks_of(point))
        assert expected is not None
        assert expected >= peak
