"""The distribution: what wheel and sdist hold, and that the wheel works with its core packages only."""

import ast
import importlib.metadata
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
CONFIG = """
results_dir: results
experiment_id: mine
x: 0
"""
APP = """
import hydra

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(cfg):
    return cfg.x

main()
"""
PROGRAM = "orch: {command: [sh, -c, 'echo {x}']}\n"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def _needed(name: str, seen: set[str]) -> Iterator[importlib.metadata.Distribution]:
    """Yield a distribution of this environment, and all that it requires without extras."""
    if name not in seen:
        seen.add(name)
        found = importlib.metadata.distribution(name)
        yield found
        for text in found.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                yield from _needed(requirement.name, seen)


@pytest.fixture(scope="module")
def bare(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel beside links to the packages that it requires, and to nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (wheel,) = dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    install = ["--python", str(folder / "bin/python"), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, *install, str(wheel)], check=True, stdout=subprocess.DEVNULL)
    (info,) = site.glob("orch-*.dist-info")
    seen: set[str] = set()
    for text in importlib.metadata.Distribution.at(info).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            for found in _needed(requirement.name, seen):
                for file in found.files or ():
                    top = file.parts[0]
                    if not top.startswith((".", "__pycache__")) and not (site / top).exists():
                        (site / top).symlink_to(str(found.locate_file(top)))
    return folder


def _orch(bare: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in {"PYTHONPATH", "VIRTUAL_ENV"} and not key.startswith("ORCH_")
    }
    return subprocess.run(
        [str(bare / "bin/orch"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _project(folder: Path, program: str) -> Path:
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(CONFIG + program)
    return folder


def test_wheel_holds_the_packages_with_their_types_and_no_tests(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("orch", "orchestrator", "trainer"):
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py")}
        assert sources <= names
        assert f"{package}/py.typed" in names
    assert "orchestrator/pictures/templates/report.html" in names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.startswith("orch-")} == {
        "orch",
        "orchestrator",
        "trainer",
    }


def test_launcher_of_hydra_is_a_distribution_of_its_own(bare: Path, tmp_path: Path) -> None:
    """Its wheel holds the plugin only, and where it is installed Hydra finds the launcher."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT / "hydra_launcher", check=True, capture_output=True)
    (wheel,) = tmp_path.glob("hydra_orch_launcher-*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = ROOT / "hydra_launcher/hydra_plugins/orch_launcher"
    assert names == {f"hydra_plugins/orch_launcher/{path.name}" for path in package.glob("*.py")}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    install = ["--python", str(bare / "bin/python"), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, *install, str(wheel)], check=True, stdout=subprocess.DEVNULL)
    (tmp_path / "config.yaml").write_text("x: 0\n")
    (tmp_path / "app.py").write_text(APP)
    words = ["app.py", "-m", "x=1,2", "hydra/launcher=orch"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = subprocess.run(
        [str(bare / "bin/python"), *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 of 2 runs are done" in ran.stdout, ran.stdout + ran.stderr


def test_sdist_holds_what_the_wheel_is_built_of(dist: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert {"pyproject.toml", "README.md", "orchestrator/py.typed", "conf/config.yaml"} <= names
    assert not any(name.startswith("tests") for name in names)


def test_core_requires_neither_torch_nor_mlflow(bare: Path) -> None:
    (info,) = bare.glob("lib/python*/site-packages/orch-*.dist-info")
    requires = importlib.metadata.Distribution.at(info).requires or []
    core = {Requirement(text).name for text in requires if "extra ==" not in text}
    hydra = {"hydra-core", "omegaconf", "python-dotenv"}  # a project's config, and its .env
    assert core == hydra | {"filelock", "nvidia-ml-py", "rich"}


def test_program_of_ones_own_is_run_without_torch_and_mlflow(bare: Path, tmp_path: Path) -> None:
    folder = _project(tmp_path, PROGRAM)
    assert _orch(bare, folder, "--help").returncode == 0
    assert _orch(bare, folder, "plan", "x=1,2").returncode == 0
    ran = _orch(bare, folder, "run", "x=1,2")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("pip install 'orch[mlflow]'") == 1
    assert "2 of 2 runs are done" in ran.stdout
    again = _orch(bare, folder, "run", "x=1,2")
    assert (again.returncode, "Nothing to do" in again.stdout) == (0, True)
    assert _orch(bare, folder, "status", "--json").returncode == 0


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("run", "trainer"),
        ("sync", "mlflow"),
        ("ui", "mlflow"),
        ("plot --out x.png", "plots"),
        ("report --out x.html", "plots"),
    ],
)
def test_what_needs_an_extra_says_how_to_install_it(
    bare: Path, tmp_path: Path, command: str, extra: str
) -> None:
    said = _orch(bare, _project(tmp_path, ""), *command.split())
    assert said.returncode == 2
    assert f"pip install 'orch[{extra}]'" in said.stderr.splitlines()[-1]
    assert "Traceback" not in said.stderr


# What is imported under another name than that of its distribution, or comes with another package.
DISTRIBUTIONS = {
    "dotenv": "python-dotenv",
    "hydra": "hydra-core",
    "markupsafe": "jinja2",
    "pynvml": "nvidia-ml-py",
    "sqlalchemy": "mlflow",
    "yaml": "omegaconf",
}
EXTRAS_OF = {
    "orch": {"trainer"},
    "orchestrator": {"mlflow", "plots", "search", "stats"},
    "trainer": {"safetensors", "trainer"},
}
# Used only where the user has it, who then has the objects of it.
GIVEN = {"orch": {"pandas", "lightning", "pytorch_lightning", "transformers"}}


@pytest.mark.parametrize("package", sorted(EXTRAS_OF))
def test_each_imported_package_is_a_declared_dependency(package: str) -> None:
    """Of the core, or of the extra that the package belongs to."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"]]
    for extra in EXTRAS_OF[package]:
        texts += project["optional-dependencies"][extra]
    declared = {Requirement(text).name for text in texts}
    imported = {
        module.partition(".")[0]
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for module in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    foreign = (
        imported - sys.stdlib_module_names - {"orch", "orchestrator", "trainer", "hydra_plugins"}
    )
    needed = {DISTRIBUTIONS.get(name, name) for name in foreign - GIVEN.get(package, set())}
    assert needed <= declared
