"""What is written in place of a secret resolves to the same value in the run's environment."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from orchestrator.config.secret_references import Hidden, conceal, identity_of
from orchestrator.errors import ConfigError


@pytest.mark.parametrize(
    "value", ["hunter2", "${oc.env:HOME}", r"a\${b}", "", 12.5, 7, True, False, None, "é\n"]
)
def test_reference_resolves_to_the_value(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = conceal({"db": {"password": value}}, {("db", "password"): Hidden("")})
    (name,) = made.environment
    assert name == "ORCH_VALUE_DB__PASSWORD"
    monkeypatch.setenv(name, made.environment[name])
    written = OmegaConf.create(dict(made.written))
    assert OmegaConf.to_container(written, resolve=True) == {"db": {"password": value}}


def test_value_from_the_environment_is_written_as_the_config_has_it() -> None:
    made = conceal({"a": "secret"}, {("a",): Hidden("${oc.env:TOKEN}")})
    assert (dict(made.written), dict(made.environment)) == ({"a": "${oc.env:TOKEN}"}, {})


def test_other_strings_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """They were resolved already, so they are not interpolations any more."""
    monkeypatch.setenv("HOME", "other")
    made = conceal({"a": "${oc.env:HOME}"}, {})
    assert OmegaConf.create(dict(made.written)).a == "${oc.env:HOME}"


def test_names_that_collide_are_told_apart() -> None:
    hidden = {("a-b",): Hidden(""), ("a_b",): Hidden("")}
    made = conceal({"a-b": "1", "a_b": "2"}, hidden)
    assert sorted(made.environment.values()) == ["1", "2"]
    assert made.written["a-b"] != made.written["a_b"]


def test_secret_with_a_nul_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"db\.password is a secret that contains a NUL"):
        conceal({"db": {"password": "a\0b"}}, {("db", "password"): Hidden("")})


def test_only_credentials_count_by_their_reference() -> None:
    hidden = {("a",): Hidden("${oc.env:A}", "${oc.env:A}"), ("b",): Hidden("${oc.env:B}")}
    assert identity_of(hidden) == {("a",): "${oc.env:A}"}
