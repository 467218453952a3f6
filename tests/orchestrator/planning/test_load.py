"""What a config and overrides are refused with says nothing that is to stay secret, and is short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.planning.load import ConfigSource, load_plan

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
results_dir: results
experiment_id: small
seed: 0
sizes: [1, 2]
text: plain
long: {long}
db: {{password: canary-one, url: "postgresql://me:canary-two@db"}}
login: "${{db.password}}"
listed: [a, {{api_key: canary-three}}]
orch: {{command: ["true"], retries: 1}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a config folder with credentials."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/mlp.yaml").write_text("width: 1\n")
    (tmp_path / "config.yaml").write_text(CONFIG.format(long="x" * 5000))
    return tmp_path


def refusal(folder: Path, *overrides: str, only: str | None = None) -> str:
    """Return what planning with these overrides is refused with."""
    with pytest.raises(OrchestratorError) as refused:
        load_plan(ConfigSource(folder, "config", overrides), only=only)
    return str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "db.password > 1",
        "seed < db.password",
        "seed in db.password",
        "db.url >= 1",
        "login < 2",
        "db > 1",
        "listed > 1",
        "seed > listed",
        "long > 1",
        "seed in long",
        f"sizes.{'9' * 5000} == 1",
        f"{'é' * 5000} == 1",
        "?" * 5000,
        f"seed == 1 {'y' * 5000}",
    ],
)
@pytest.mark.parametrize("kind", ["filter", "condition"])
def test_filter_is_refused_without_secrets_and_at_no_length(
    folder: Path, text: str, kind: str
) -> None:
    """Values of the config are quoted in part, and not at all where they are credentials."""
    if kind == "condition":
        message = refusal(folder, only=text)
    elif text.endswith("== 1"):
        return  # a filter with a key that is nowhere is a warning
    else:
        message = refusal(folder, f"+_filters=['{text} ! seed == 0']")
    assert "canary" not in message
    assert len(message) < 600


@pytest.mark.parametrize(
    "override",
    [
        "+more={api_key:canary},{api_key:b}",
        "+more=[{api_key:canary}],[{api_key:b}]",
        "+more={deep:{list:[glpat-canary-abcdefghij1234567]}},b",
        "~db.password=canary",
        "+api_key@db=canary",
        "orch.command=postgres://me:canary@db,b",
        "db.password=interval(1,canary)",
        f"seed=interval(0,{'1' * 2000}.5)",
        f"orch.retries={','.join('1' for _ in range(1000))}",
    ],
)
def test_override_is_refused_without_secrets_and_at_no_length(folder: Path, override: str) -> None:
    """Neither what was typed nor what stands in the config is quoted where it is a credential."""
    message = refusal(folder, override)
    assert "canary" not in message
    assert len(message) < 600


def test_axis_of_mappings_without_secrets_is_an_axis(folder: Path) -> None:
    """References are not secrets, nor is what has the shape of one but not the name."""
    overrides = ["+more={token_ids:1,pad_token:x},{api_key:'${text}'}", "~seed=0"]
    assert len(load_plan(ConfigSource(folder, "config", overrides)).plan.decisions) == 2
