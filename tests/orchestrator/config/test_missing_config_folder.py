"""The error where there is no config folder says how to begin."""

from pathlib import Path

import pytest

from orchestrator.config.missing_config_folder import missing_config_folder


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "orch init DIR writes a project to begin with."),
        ({"train.py": "print(1)"}, "orch init DIR writes a project to begin with."),
        (
            {"model.py": "", "my app.py": "@hydra.main()"},
            "my app.py seems to be a Hydra app: --app 'my app.py' uses its config.",
        ),
    ],
)
def test_other_ways_to_begin_are_told(
    files: dict[str, str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        Path(name).write_text(text)
    (tmp_path / "folder.py").mkdir()
    error = str(missing_config_folder(Path("conf")))
    assert error.startswith(f"there is no config folder 'conf' in {tmp_path}. Change to")
    assert error.endswith(f"--config-dir. {told}")
