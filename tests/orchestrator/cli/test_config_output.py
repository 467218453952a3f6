"""``--cfg`` prints the config and does nothing else."""

from pathlib import Path

import pytest

from orchestrator.cli.main import call
from orchestrator.errors import UsageError

CONFIG = "results_dir: results\nexperiment_id: e\nlr: 1\nx: ${lr}\norch: {command: [touch, ran]}\n"


@pytest.mark.parametrize("command", ["plan", "run", "status", "ui"])
def test_every_command_prints_the_config_instead(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """With the overrides, and nothing is executed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(CONFIG)
    assert call([command, "--cfg", "job", "lr=2", "--resolve"]) == 0
    assert "lr: 2\nx: 2\n" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"conf"}


def test_json_and_yaml_exclude_each_other() -> None:
    """One of them is meant."""
    with pytest.raises(UsageError, match="--cfg prints YAML"):
        call(["plan", "--cfg", "job", "--json"])
