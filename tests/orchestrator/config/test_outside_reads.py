"""What a value of a config reads besides the config itself."""

from collections.abc import Iterator

import pytest
from omegaconf import OmegaConf

from orchestrator.config.hydra_resolver import STAND_INS, register
from orchestrator.config.outside_reads import (
    OWN,
    TIME,
    flaw_of,
    mark_of,
    marks_in,
    variables_in,
    watch_resolvers,
)


@pytest.fixture(autouse=True)
def resolvers() -> Iterator[None]:
    """Register resolvers as Hydra and a user do."""
    register()
    OmegaConf.register_new_resolver("now", lambda _form: "2020", replace=True)
    draws = iter(range(1_000))
    OmegaConf.register_new_resolver("next_draw", lambda: next(draws), replace=True)
    OmegaConf.register_new_resolver("same_draw", lambda x: x, replace=True)
    yield
    for name in ("now", "next_draw", "same_draw"):
        OmegaConf.clear_resolver(name)


def test_everything_that_is_read_leaves_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables by name, and marks for what differs from moment to moment."""
    monkeypatch.setenv("PLACE", "here")
    cfg = OmegaConf.create(
        {
            "a": "${oc.env:PLACE}",
            "b": "${now:%Y}-${oc.env:NOWHERE,x}",
            "c": "${same_draw:1}",
            "d": "${next_draw:}",
            "e": "${oc.decode:'1'}",
        }
    )
    with watch_resolvers() as notes:
        values = [cfg[key] for key in cfg]
    assert values[:3] == ["here", "2020-x", 1]
    assert variables_in(notes) == ("PLACE", "NOWHERE")
    time, draw = marks_in(notes)
    assert time == TIME
    assert flaw_of(time) is None
    assert flaw_of(draw) == ("next_draw", "returns another value each time")
    with watch_resolvers() as notes:
        pass
    assert cfg.a == "here"
    assert notes == []


def test_each_value_that_only_a_run_has_has_a_mark() -> None:
    """By the key that Hydra gives it."""
    assert {mark_of(key) for key in STAND_INS} == OWN
    assert variables_in(OWN) == ()
