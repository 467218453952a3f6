"""Resolved configs as built-in types, whatever their schema says."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from omegaconf import OmegaConf

from orchestrator.config.plain_values import plain_value, to_plain


class Color(Enum):
    """Two colors."""

    RED = 1
    BLUE = 2


@dataclass
class Schema:
    """A schema with types that YAML does not have."""

    color: Color = Color.RED
    path: Path = Path("/x")
    number: float = 1
    by_color: dict[Color, Path] = field(default_factory=lambda: {Color.BLUE: Path("y")})
    many: list[Path] = field(default_factory=lambda: [Path("a")])


def test_every_schema_reads_the_same_value_from_it_again() -> None:
    """Enums by name, paths as strings, numbers of the type that they have."""
    cfg = OmegaConf.structured(Schema)
    plain = to_plain(cfg)
    assert plain == {
        "color": "RED",
        "path": "/x",
        "number": 1.0,
        "by_color": {"BLUE": "y"},
        "many": ["a"],
    }
    assert OmegaConf.merge(OmegaConf.structured(Schema), plain) == cfg


def test_other_values_are_left_alone() -> None:
    """Whether they are allowed is decided elsewhere."""
    assert plain_value(b"x") == b"x"
    assert plain_value([Color.RED, None]) == ["RED", None]
