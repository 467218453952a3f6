"""The page on the architecture: it knows every room, and what its contracts say of them."""

from __future__ import annotations

import tomllib

import pytest
from doc_pages import DOCS, ROOT, read_tables

TABLES = read_tables(DOCS / "architecture.md")


@pytest.mark.parametrize(
    ("package", "heading"),
    [("orchestrator", "Rooms of the orchestrator"), ("trainer", "Rooms of the trainer")],
)
def test_page_has_every_room(package: str, heading: str) -> None:
    """Each folder of a package has a row."""
    rows = " ".join(row[0] for row in TABLES[heading])
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert folders == {each.strip("`/ ") for each in rows.split("`") if each.endswith("/")}


def test_rooms_stand_in_the_order_in_which_they_import() -> None:
    """The table is the layers contract, read aloud."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (
        contract["layers"]
        for contract in contracts["contracts"]
        if contract.get("containers") == ["orchestrator"]
    )
    order = [room for layer in layers for room in layer.split(" | ")]
    shown = [row[0].strip("`/") for row in TABLES["Rooms of the orchestrator"]]
    assert shown == [room for room in order if room in shown]
