"""A note in the forms that commands show and compare."""

import pytest

from orchestrator.rundir.note import Note, parse_tag


def test_tags_are_compared_as_the_values_that_they_look_like() -> None:
    tags = {"a": "true", "b": "2", "c": "0.5", "d": "nan", "e": "x"}
    told = {"a": True, "b": 2, "c": 0.5, "d": "nan", "e": "x"}
    assert Note("", tags).as_config() == {"note": "", "tags": told}


@pytest.mark.parametrize(
    ("text", "tag"),
    [("baseline", ("baseline", "true")), ("a=b=c", ("a", "b=c")), ("a=", ("a", "true"))],
)
def test_tag_is_a_name_with_or_without_a_value(text: str, tag: tuple[str, str]) -> None:
    assert parse_tag(text) == tag
