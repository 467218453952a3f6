"""The page on config keys: it has every key that is read, with the default that holds."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest
import yaml
from doc_pages import DOCS, read_tables

from orchestrator.config import orch_settings
from orchestrator.errors import ConfigError
from trainer import settings as trainer_settings
from trainer.build import Modules
from trainer.deciding_keys import DECIDING_GROUPS
from trainer.known_keys import unread_keys
from trainer.loading.options import read_loading

TABLES = read_tables(DOCS / "reference" / "config.md")
SECTIONS = ("identity", "stop", "tracking")
# Keys that come to something else in the settings than a field of their name.
TRAINER_SECTIONS = {
    **dict.fromkeys(trainer_settings.CHECKPOINT_KEYS, "checkpoint."),
    "drop_last": "dataloader.",
}

GROUPS = {field.name for field in fields(Modules)} | {"metrics"}
LOADING = {
    f"dataloader.{key}" for key in ("shuffle", "sampler", "batch_sampler", "evaluation_batch_size")
}


def keys_under(heading: str) -> dict[str, list[str]]:
    """Return the rows of the tables under a heading by their key, without marks."""
    return {row[0].strip("`"): [cell.strip("`") for cell in row] for row in TABLES[heading]}


def known_to_orch(prefix: str = "orch") -> set[str]:
    """Return the keys that are accepted under ``orch:``, as the refusal of a wrong one names them."""
    wrong: Any = {"qqqqqq": 1}
    for part in reversed(prefix.split(".")[1:]):
        wrong = {part: wrong}
    with pytest.raises(ConfigError, match="Use one of") as caught:
        orch_settings.parse_settings(wrong)
    found = re.search(r"Use one of (.*?)\.?$", str(caught.value))
    assert found
    return {f"{prefix}.{key}" for key in found[1].split(", ")}


def test_page_has_every_key_under_orch() -> None:
    """No key is missing, and none is there that would be refused."""
    known = known_to_orch()
    for section in SECTIONS:
        known |= known_to_orch(f"orch.{section}")
    known -= {f"orch.{section}" for section in SECTIONS}
    assert set(keys_under("orch")) == known - {"orch.slurm", "orch.search"}
    assert set(keys_under("orch.halving")) == known_to_orch("orch.halving")
    assert set(keys_under("orch.slurm")) == known_to_orch("orch.slurm")
    assert set(keys_under("orch.search")) == known_to_orch("orch.search")


def test_defaults_under_orch_are_those_that_hold() -> None:
    """Setting a key to the default of the table changes nothing."""
    without = orch_settings.parse_settings({})
    for key, row in keys_under("orch").items():
        node: Any = yaml.safe_load(row[2])
        for part in reversed(key.split(".")[1:]):
            node = {part: node}
        assert orch_settings.parse_settings(node) == without, key


def test_defaults_of_halving_are_those_that_hold() -> None:
    needed = {"metric": "loss", "mode": "min"}
    without = orch_settings.parse_settings({"halving": needed})
    for key, row in keys_under("orch.halving").items():
        name, default = key.rpartition(".")[2], yaml.safe_load(row[2])
        given: Any = {"halving": needed | ({} if default == "required" else {name: default})}
        assert orch_settings.parse_settings(given) == without, key


def test_defaults_of_a_search_are_those_that_hold() -> None:
    given: Any = {"metric": "loss", "points": 5}
    without = orch_settings.parse_settings({"search": given})
    for key, row in keys_under("orch.search").items():
        if row[2] != "required":
            node: Any = {"search": given | {key.rpartition(".")[2]: yaml.safe_load(row[2])}}
            assert orch_settings.parse_settings(node) == without, key


def test_defaults_of_a_cluster_are_those_that_hold() -> None:
    without = orch_settings.parse_settings({"slurm": {}})
    for key, row in keys_under("orch.slurm").items():
        node: Any = {"slurm": {key.rpartition(".")[2]: yaml.safe_load(row[2])}}
        assert orch_settings.parse_settings(node) == without, key


def test_page_has_every_key_of_the_trainer_with_its_default() -> None:
    """Each field of the settings stands in the table, and nothing else does."""
    settings = trainer_settings.read_settings({"seed": 0, "iterations": 1})
    rows = keys_under("Trainer")
    keys = [(TRAINER_SECTIONS.get(field.name, ""), field.name) for field in fields(settings)]
    for group in ("stopping", "ema", "validation_split"):  # sections of their own
        keys.remove(("", group))
        keys += [(f"{group}.", field.name) for field in fields(getattr(settings, group))]
    keys += [("", f"init_from_{each}") for each in ("digest", "prefix")]  # within `init_from`
    own = {row for row in rows if row.partition(".")[0] not in GROUPS} - LOADING
    assert own == {f"{section}{name}" for section, name in keys}
    for section, name in keys:
        default = rows[f"{section}{name}"][2]
        if default != "required":
            node: Any = {name: yaml.safe_load(default)}
            given = {section.rstrip("."): node} if section else node
            again = trainer_settings.read_settings({"seed": 0, "iterations": 1} | given)
            assert again == settings, name


def test_page_has_every_group_of_the_trainer() -> None:
    """The groups are those that are built, and that decide what a run is."""
    assert set(keys_under("Trainer")) >= GROUPS
    assert set(DECIDING_GROUPS) == GROUPS


def test_page_has_the_keys_of_the_loaders() -> None:
    """The loader gets what the trainer does not read of ``dataloader``; the page knows the rest."""
    names = {key.partition(".")[2] for key in LOADING}
    given: Any = {"seed": 0, "iterations": 1, "dataloader": dict.fromkeys(names, None)}
    given["dataloader"] |= {"shuffle": True, "evaluation_batch_size": 8}
    loading = read_loading(trainer_settings.read_settings(given))
    assert not names & set(loading.options)
    assert set(keys_under("Trainer")) >= LOADING


def test_keys_of_the_page_are_those_that_are_not_taken_for_misspelled() -> None:
    """The trainer names the keys that nothing reads; none of the page is among them."""
    tops = {key.partition(".")[0] for key in keys_under("Trainer")}
    assert not unread_keys(dict.fromkeys(tops))
