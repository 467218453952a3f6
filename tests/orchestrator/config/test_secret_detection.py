"""What came from the environment, or is a secret, is found wherever it ends up in a config."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.resolvers import oc

from orchestrator.config.secret_detection import find_hidden
from orchestrator.config.secret_references import conceal, identity_of
from orchestrator.errors import ConfigError


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "canary")
    monkeypatch.setenv("RATE", "0.5")


def written(text: str) -> tuple[dict[str, Any], dict[str, str], dict[Any, Any]]:
    """Return the config as written, the environment handed over, and what counts for identity."""
    cfg: Any = OmegaConf.create(text)
    hidden = find_hidden(cfg)
    made = conceal(OmegaConf.to_container(cfg, resolve=True), hidden)  # type: ignore[arg-type]
    return dict(made.written), dict(made.environment), identity_of(hidden)


@pytest.mark.parametrize(
    "text",
    [
        "a: ${oc.env:API_TOKEN}",
        "a: ${oc.env:RATE}/x",
        "a: ${oc.decode:${oc.env:RATE}}",
        "a: ${oc.env:API_TOKEN,'default'}",
        "{a: {b: '${..c}'}, c: '${oc.env:API_TOKEN}'}",
        "{a: '${b}', b: {c: ['${oc.env:API_TOKEN}', 1]}}",
        "{a: '${oc.select:b}', b: '${oc.env:API_TOKEN}'}",
        "{a: '${oc.dict.values:b}', b: {c: '${oc.env:API_TOKEN}'}}",
        "{a: '${oc.create:${b}}', b: {c: '${oc.env:API_TOKEN}'}}",
        "{a: '${b.${oc.env:API_TOKEN}}', b: {canary: 7}}",
        "{password: canary, b: 'x-${password}'}",
        "{secret: 12.5}",
    ],
)
def test_config_as_written_gives_the_same_values_again(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And holds none of them itself."""
    config, environment, _ = written(text)
    assert "canary" not in str(config).replace("'canary': 7", "")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    again = OmegaConf.to_container(OmegaConf.create(config), resolve=True)
    assert again == OmegaConf.to_container(OmegaConf.create(text), resolve=True)


def test_credential_counts_by_its_reference_and_the_rest_by_value() -> None:
    """A rate from the environment makes a run what it is; a renewed token does not."""
    _, _, identity = written("{a: '${oc.env:API_TOKEN}', b: '${oc.env:RATE}', password: x}")
    assert identity == {("a",): "${oc.env:API_TOKEN}"}


def test_config_without_secrets_is_written_as_it_is() -> None:
    """Words of a model's language are none."""
    text = "{lr: 0.1, pad_token: '<pad>', tokens: 5, name: '${lr}'}"
    assert written(text)[:2] == ({"lr": 0.1, "pad_token": "<pad>", "tokens": 5, "name": 0.1}, {})


def test_environment_is_asked_as_before_afterwards() -> None:
    """Watching leaves nothing behind."""
    written("a: ${oc.env:RATE}")
    assert OmegaConf.create({"a": "${oc.env:RATE}"}).a == os.environ["RATE"]


def test_kinds_that_are_hidden_only_now_count_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their runs keep the IDs they had."""
    monkeypatch.setenv("DB_PW", "canary")
    text = "{pw: canary, db: 'user=me password=canary', hf_tokens: [canary], x: '${oc.env:DB_PW}'}"
    config, environment, identity = written(text)
    assert "canary" not in str(config)
    assert set(environment.values()) == {"canary", "user=me password=canary"}
    assert identity == {}


def test_resolver_of_the_user_is_asked_and_put_back() -> None:
    """A program that uses us may read its environment in its own way."""
    OmegaConf.register_new_resolver("oc.env", lambda name: f"own {name}", replace=True)
    try:
        config, _, _ = written("a: ${oc.env:RATE}")
        assert config == {"a": "${oc.env:RATE}"}
        assert OmegaConf.create({"a": "${oc.env:RATE}"}).a == "own RATE"
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("{headers: {sk-abcdefghijklmnop0123: 1}}", "headers: one of its keys"),
        ("{a: [{b: {ghp_0123456789abcdef: {c: 1}}}]}", "a.0.b: one of its keys"),
        ("{a: {'https://me:hunter2@host': 1}}", "a: one of its keys"),
        ("{a: '${b}', b: {hf_0123456789abcdef: 1}}", "a: one of its keys"),
        ("{AKIA0123456789ABCDEF: 1}", "a key of the config"),
    ],
)
def test_credential_as_a_key_is_refused(text: str, where: str) -> None:
    """No reference can stand for a key, and tables show keys. The message does not repeat it."""
    with pytest.raises(ConfigError, match=f"^{where} is a credential") as caught:
        find_hidden(OmegaConf.create(text))  # type: ignore[arg-type] # a mapping
    assert not re.search("sk-|ghp_|hunter2|hf_|AKIA", str(caught.value))
