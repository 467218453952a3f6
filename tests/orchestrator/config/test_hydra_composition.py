"""A config folder is composed as Hydra composes it, without Hydra's own settings if possible."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.config_repository import ConfigRepository
from omegaconf import OmegaConf

from orchestrator.config.hydra_composition import ConfigFolder
from orchestrator.errors import ConfigError

FILES = {
    "config.yaml": "defaults: [model: small, _self_]\nlr: 0.1\n",
    "model/small.yaml": "width: 1\n",
    "model/large.yaml": "width: 100\n",
}


def write(folder: Path, **more: str) -> ConfigFolder:
    for name, text in {**FILES, **more}.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    return ConfigFolder(folder, "config")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often each file was read."""
    counts: Counter[str] = Counter()
    real = ConfigRepository.load_config

    def count(repository: Any, config_path: str) -> Any:
        counts[config_path] += 1
        return real(repository, config_path)

    monkeypatch.setattr(ConfigRepository, "load_config", count)
    return counts


def test_config_is_composed_with_its_choices(tmp_path: Path) -> None:
    folder = write(tmp_path)
    composed = folder.compose(folder.parse(["model=large"]))
    assert OmegaConf.to_container(composed.cfg) == {"model": {"width": 100}, "lr": 0.1}
    assert composed.choices["model"] == "large"


def test_each_file_is_read_once(tmp_path: Path, reads: Counter[str]) -> None:
    folder = write(tmp_path)
    for choice in ("small", "large", "small"):
        folder.compose(folder.parse([f"model={choice}"]))
    ours = {path: count for path, count in reads.items() if not path.startswith("hydra/")}
    assert ours["model/large"] == ours["config"] == 1


def test_composed_configs_share_nothing(tmp_path: Path) -> None:
    folder = write(tmp_path)
    folder.compose([]).cfg.model.width = 7
    assert folder.compose([]).cfg.model.width == 1


@pytest.mark.parametrize(
    ("override", "is_choice"),
    [("model=large", True), ("model.width=3", False), ("lr=1", False), ("hydra.job.name=x", True)],
)
def test_choices_are_those_that_composing_needs(
    tmp_path: Path, override: str, *, is_choice: bool
) -> None:
    folder = write(tmp_path)
    assert folder.is_choice(folder.parse([override])[0]) is is_choice


def test_grid_in_the_file_is_read(tmp_path: Path) -> None:
    grid = "defaults: [_self_]\nhydra: {sweeper: {params: {lr: '1,2'}}}\nlr: 0\n"
    folder = write(tmp_path, **{"config.yaml": grid})
    assert dict(folder.read_grid([])) == {"lr": "1,2"}


def test_group_without_a_choice_is_allowed_only_for_reading_the_grid(tmp_path: Path) -> None:
    folder = write(tmp_path, **{"config.yaml": "defaults: [model: '???', _self_]\nlr: 0.1\n"})
    folder.compose([], open_ended=True)
    with pytest.raises(Exception, match="You must specify 'model'"):
        folder.compose([])


def test_missing_folder_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no config folder .*--config-dir"):
        ConfigFolder(tmp_path / "conf", "config")


def test_search_path_is_extended_from_the_primary_config_or_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to the current folder; what is not there is told, and stops nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("more", "other"):
        (tmp_path / name / "opt").mkdir(parents=True)
        (tmp_path / f"{name}/opt/{name}.yaml").write_text("lr: 1\n")
    primary = "hydra: {searchpath: ['file://more', 'pkg://no_such_package']}\n"
    for typed, found in ([], "more"), (["hydra.searchpath=[other]"], "other"):
        folder = write(tmp_path / "conf", **{"config.yaml": primary})
        given = folder.parse([*typed, f"+opt={found}"])
        assert not folder.is_choice(folder.parse(["+data=x"])[0])
        folder.extend_search_path(given)
        assert folder.is_choice(given[-1])
        assert folder.compose(given).cfg.opt == {"lr": 1}
        assert folder.not_found == (() if typed else ("pkg://no_such_package",))
