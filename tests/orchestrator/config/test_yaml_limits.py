"""Config files are checked before anything is made of them."""

from pathlib import Path

import pytest

from orchestrator.config.yaml_limits import check_config_file
from orchestrator.errors import ConfigError


def _bomb(first: str, one: str, comma: str, levels: int) -> str:
    """Return a text whose last line unfolds to ten times the line before, and so on."""
    lines = [f"a0: &a0 {first}"]
    for level in range(1, levels + 1):
        inner = comma.join(one.format(at=at, before=level - 1) for at in range(10))
        opening, closing = ("[", "]") if one.startswith("*") else ("{", "}")
        lines.append(f"a{level}: &a{level} {opening}{inner}{closing}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            _bomb("[x]", "*a{before}", ",", 8),
            "more than 100,000 values after expanding its aliases",
        ),
        (_bomb("{k: x}", "k{at}: *a{before}", ",", 8), "more than 100,000 values"),
        ("a: &a [*a]", "more than 100,000 values"),
        ("a: &a\n  <<: *a", "more than 100,000 values"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply: the maximum is 50 levels"),
        ("a: " + "{a: " * 3000 + "1" + "}" * 3000, "nested too deeply"),
        ("\n".join(" " * depth + "a:" for depth in range(200)), "nested too deeply"),
        ("a: " + "x" * 1_000_000, "1,000,003 bytes, the maximum is 1,000,000"),
    ],
)
def test_file_that_would_fill_the_memory_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    """The message names the file, and nothing was unfolded to write it."""
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as refusal:
        check_config_file(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        _bomb("[x]", "*a{before}", ",", 3),
        "a: " + "[" * 49 + "]" * 49,
        "base: &base {lr: 0.1}\nmodel:\n  <<: *base\n  name: x",
        "grid: glob(*)\nb: 2 * 3\nc: '*a'",
        "",
        "a: [1",
    ],
)
def test_file_as_people_write_it_is_fit_to_read(tmp_path: Path, text: str) -> None:
    """Some aliases, some depth, stars in text; mistakes are reported by the parser that reads the file."""
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    check_config_file(path)
