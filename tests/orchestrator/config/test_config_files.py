"""Config files are read and checked once."""

from pathlib import Path

import pytest

from orchestrator.config.hydra_composition import ConfigFolder
from orchestrator.errors import ConfigError


def test_file_with_a_key_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    """With the place to look at."""
    (tmp_path / "config.yaml").write_text("null: 1\n")
    folder = ConfigFolder(tmp_path, "config")
    with pytest.raises(ConfigError, match=r"config\.yaml: a key is null, a list or a mapping"):
        folder.compose([])


@pytest.mark.parametrize(
    "value",
    ["!!timestamp 2001", "!!bool x", "!!int ''", "!!int x", "!!float x", "!!set x", "9" * 5000],
)
def test_file_with_a_value_that_does_not_fit_its_tag_is_named(tmp_path: Path, value: str) -> None:
    """PyYAML raises anything then."""
    (tmp_path / "config.yaml").write_text(f"a: {value}\n")
    folder = ConfigFolder(tmp_path, "config")
    with pytest.raises(
        ConfigError, match=r"config\.yaml: a value (cannot be read|does not fit its tag)"
    ):
        folder.compose([])


def test_composing_leaves_what_was_read_as_it_was(tmp_path: Path) -> None:
    """So that files are read once for a whole grid."""
    (tmp_path / "config.yaml").write_text("a: {b: 1}\n")
    folder = ConfigFolder(tmp_path, "config")
    folder.compose([]).cfg.a.b = 2
    (tmp_path / "config.yaml").write_text("a: {b: 3}\n")
    assert folder.compose([]).cfg.a.b == 1
    assert folder.read_primary().a.b == 1
