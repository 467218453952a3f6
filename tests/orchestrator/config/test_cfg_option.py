"""The config is shown as a Hydra app shows it with ``--cfg``."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.config.cfg_option import show_config
from orchestrator.config.load import load_experiment
from orchestrator.errors import ConfigError, UsageError

APP = """\
import hydra

@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    raise SystemExit("it ran")

main()
"""
PRIMARY = """\
defaults: [{model: small}, _self_]
results_dir: results
experiment_id: e
lr: 0.1
name: ${model.name}-${lr}
out: {dir: "${hydra:runtime.output_dir}/x", names: [a, "${lr}"]}
hydra: {sweeper: {params: {lr: "1,2"}}}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with an app and its config folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/model").mkdir(parents=True)
    for name in ("small", "big"):
        (tmp_path / f"conf/model/{name}.yaml").write_text(f"name: {name}\n")
    (tmp_path / "conf/config.yaml").write_text(PRIMARY)
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def _show(
    *overrides: str, kind: str = "job", package: str | None = None, is_resolved: bool = False
) -> str:
    described = load_experiment(Path("conf"), "config", overrides)
    folder = Path("results/e/training")
    return show_config(described, folder, kind, package, is_resolved=is_resolved)


@pytest.mark.parametrize(
    ("overrides", "package", "is_resolved"),
    [
        ([], None, False),
        (["model=big", "+new=[1,2]", "lr=3"], None, False),
        (["~name"], "_global_", False),
        ([], "out", False),
        ([], "out.names", False),
        ([], "lr", False),
        (["model=big", "out.dir=/x"], None, True),
        ([], "out.names", True),
    ],
)
def test_output_is_that_of_hydra(
    overrides: list[str],
    package: str | None,
    is_resolved: bool,  # noqa: FBT001 # a parameter
) -> None:
    """To the letter; the grid in the file is none of its business."""
    typed = [*overrides, "--cfg", "job"]
    typed += ["--package", package] if package else []
    typed += ["--resolve"] if is_resolved else []
    shown = subprocess.run(
        [sys.executable, "app.py", *typed], check=True, capture_output=True, text=True
    ).stdout
    assert _show(*overrides, package=package, is_resolved=is_resolved).rstrip() == shown.rstrip()


def test_resolved_config_has_the_directory_of_its_run(project: Path) -> None:
    """Which need not exist."""
    shown = _show("lr=3", package="out.dir", is_resolved=True)
    folder, run_id, last = shown.strip().rsplit("/", 2)
    assert (folder, last) == (f"{project}/results/e/training", "x")
    assert len(run_id) == 16


def test_settings_of_hydra_are_shown_on_request() -> None:
    """Alone or with the config."""
    assert _show("hydra.job.name=me", kind="hydra", package="hydra.job.name") == "me\n"
    assert "lr: 0.1" not in _show(kind="hydra")
    both = _show(kind="all")
    assert both.startswith("hydra:\n")
    assert "\nlr: 0.1\n" in both


def test_additions_to_the_config_of_an_app_are_not_shown(project: Path) -> None:
    """It does not have them itself."""
    (project / "conf/config.yaml").write_text("lr: 1\n")
    described = load_experiment(None, None, ["orch.workers=2"], "app.py")
    assert show_config(described, project, "job", None, is_resolved=False) == "lr: 1\n"


def test_credentials_are_not_shown(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpolation only names one."""
    monkeypatch.setenv("MY_API_KEY", "abcdefgh12345678")
    text = PRIMARY + "api_key: ${oc.env:MY_API_KEY}\nservices: [{password: hunter22}]\n"
    (project / "conf/config.yaml").write_text(text)
    shown = _show()
    assert "api_key: ${oc.env:MY_API_KEY}\n" in shown
    assert "hunter22" not in shown
    resolved = _show(is_resolved=True)
    assert "abcdefgh" not in resolved
    assert "api_key: '***'" in resolved


@pytest.mark.parametrize(
    ("overrides", "package", "error", "message"),
    [
        (["lr=1,2"], None, UsageError, "--cfg prints one config, but lr has several values."),
        (["model=small,big"], None, UsageError, "but model has several values."),
        ([], "nothing", UsageError, "--package: the config has no key 'nothing'."),
        (["+x=${nothing}"], None, ConfigError, "Interpolation key 'nothing' not found"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(
    overrides: list[str], package: str | None, error: type[Exception], message: str
) -> None:
    """As for every mistake."""
    with pytest.raises(error) as refusal:
        _show(*overrides, package=package, is_resolved=True)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
