"""The contract of identity: these IDs never change, for results of years depend on them."""

import hashlib
import json
from typing import Any

import pytest

from orchestrator.grid.identity import canonical_form, identify

GOLDEN = [
    ({}, "{}", "44136fa355b3678a"),
    ({"lr": 0.1}, '{"lr":0.1}', "9c9ba942d8bb6213"),
    (
        {"d": None, "c": True, "b": 1.0, "a": 1},
        '{"a":1,"b":1,"c":true,"d":null}',
        "20ae218893cd1fae",
    ),
    (
        {"z": [1, 2.5, "x"], "a": {"c": {}, "b": []}},
        '{"a":{"b":[],"c":{}},"z":[1,2.5,"x"]}',
        "35eef8902f5b7137",
    ),
    (
        {"name": 'größe "x" \\ \n'},
        r'{"name":"größe \"x\" \\ \n"}',
        "8f4254d96a73a96d",
    ),
    (
        {1: "a", None: "c", 2.5: "d", "1": "e", False: 0},
        '{"1":"e",1:"a",2.5:"d",false:0,null:"c"}',
        "3be17b3ccee69073",
    ),
    (
        {"tiny": 1e-05, "huge": 1e22, "big": 2**70, "zero": -0.0},
        '{"big":1180591620717411303424,"huge":10000000000000000000000,"tiny":1e-05,"zero":0}',
        "96178794c19980f8",
    ),
    ({"\x7f\u2028": "\U0001f600"}, '{"\x7f\u2028":"\U0001f600"}', "456ae3050918a94c"),
]


@pytest.mark.parametrize(("config", "form", "run_id"), GOLDEN)
def test_golden_ids_hold(config: Any, form: Any, run_id: Any) -> None:
    """The form, byte for byte, and its hash."""
    assert canonical_form(config).decode() == form
    assert identify(config, {}).run_id == run_id


def test_id_is_the_beginning_of_the_hash_of_the_form() -> None:
    """Anybody can recompute an ID from the form alone."""
    config = {"model": {"name": "Cnn10"}, "lr": 0.1}
    form = b'{"lr":0.1,"model":{"name":"Cnn10"}}'
    assert canonical_form(config) == form
    assert identify(config, {}).digest == hashlib.sha256(form).hexdigest()
    assert json.loads(form) == config


@pytest.mark.parametrize("key", ["results_dir", "experiment_id", "hydra", "_filters", "orch"])
def test_keys_that_never_count_are_those_of_the_contract(key: str) -> None:
    """Where results go, and how runs are carried out, changes no ID."""
    assert identify({"a": 1, key: "x"}, {}).run_id == identify({"a": 1}, {}).run_id
