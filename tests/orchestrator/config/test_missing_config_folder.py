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


def test_file_is_told_with_the_options_that_name_it(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").touch()
    error = str(missing_config_folder(tmp_path / "small.yaml"))
    assert error.endswith(f"not a config folder. Use --config-dir {tmp_path} --config-name small.")


def test_absolute_folder_is_not_said_to_be_in_another_one(tmp_path: Path) -> None:
    error = str(missing_config_folder(tmp_path / "gone"))
    assert error.startswith(f"there is no config folder '{tmp_path}/gone'. Change to")
