"""What a run was created with is in its ``run.json``, or was not recorded."""

from typing import Any

import pytest

from orchestrator.rundir.chosen_values import parse_chosen

RECORD = {
    "overrides": {"seed": 0},
    "given": {"lr": 0.1},
    "choices": {"model": "a", "db/kind": "x", "more": None},
    "identity_exclude": ["device"],
}


def test_name_of_a_run_has_axes_and_what_was_given() -> None:
    """Choices by default are not part of the name, but conditions know them."""
    chosen = parse_chosen(RECORD)
    assert chosen.named == {"seed": 0, "lr": 0.1}
    assert chosen.known_choices == {"model": "a", "db/kind": "x", "db.kind": "x"}
    assert [*chosen.identity_exclude] == ["device"]


def test_run_of_an_earlier_version_has_no_known_choices_but_its_axes() -> None:
    """A string on an axis may be a choice."""
    chosen = parse_chosen({"overrides": {"model": "a", "seed": 0}})
    assert (chosen.choices, dict(chosen.given)) == (None, {})
    assert chosen.known_choices == {"model": "a"}


@pytest.mark.parametrize("name", RECORD)
@pytest.mark.parametrize("damage", [None, 3, "x", [[]] * 3])
def test_what_is_malformed_counts_as_empty(name: str, damage: Any) -> None:
    """The state of the run says that it is damaged, if it is."""
    chosen = parse_chosen({**RECORD, name: damage})
    assert isinstance(chosen.named, dict)
    assert isinstance(chosen.known_choices, dict)


def test_endless_values_are_not_followed() -> None:
    """Nobody has a value of a hundred levels."""
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert parse_chosen({"overrides": {}, "given": {"x": deep}}).named == {}
