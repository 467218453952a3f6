"""Hydra projects as their users have them: a run's config is what the program composes itself.

The program is started as it would be without ``orch``, and writes down the config that Hydra gave it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

# In the manner of a widely used template for Lightning and Hydra.
TEMPLATE = {
    ".project-root": "",
    ".env": "export DATA_BASE=/data\n",
    "src/__init__.py": "",
    "src/roots.py": (
        "import os\nfrom pathlib import Path\n"
        "os.environ.setdefault('PROJECT_ROOT', str(Path(__file__).resolve().parents[1]))\n"
    ),
    "src/train.py": """\
import json
from pathlib import Path
import sys
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import src.roots
import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

@hydra.main(version_base="1.3", config_path="../configs", config_name="train.yaml")
def main(cfg):
    found = OmegaConf.to_container(cfg, resolve=True)
    Path(HydraConfig.get().runtime.output_dir, "composed.json").write_text(json.dumps(found))

if __name__ == "__main__":
    main()
""",
    "configs/train.yaml": """\
# @package _global_
defaults:
  - _self_
  - data: mnist
  - model: mnist
  - callbacks: default
  - logger: null
  - trainer: default
  - paths: default
  - hydra: default
  - experiment: null
  - hparams_search: null
  - optional local: default
  - debug: null
task_name: train
tags: [dev]
train: true
ckpt_path: null
seed: null
""",
    "configs/data/mnist.yaml": "_target_: src.data.Mnist\ndata_dir: ${paths.data_dir}\nbatch_size: 128\n",
    "configs/model/mnist.yaml": (
        "_target_: src.model.Net\noptimizer: {_target_: torch.optim.Adam, _partial_: true, lr: 0.001}\n"
        "net: {width: 64}\n"
    ),
    "configs/model/big.yaml": "defaults: [mnist]\nnet: {width: 512}\n",
    "configs/callbacks/default.yaml": (
        "defaults: [model_checkpoint, _self_]\n"
        "model_checkpoint: {dirpath: '${paths.output_dir}/checkpoints', filename: 'epoch_{epoch:03d}'}\n"
    ),
    "configs/callbacks/model_checkpoint.yaml": "model_checkpoint: {dirpath: null, filename: null}\n",
    "configs/logger/csv.yaml": "csv: {save_dir: '${paths.output_dir}', name: 'csv/'}\n",
    "configs/trainer/default.yaml": "default_root_dir: ${paths.output_dir}\nmax_epochs: 10\n",
    "configs/paths/default.yaml": """\
root_dir: ${oc.env:PROJECT_ROOT}
data_dir: ${oc.env:DATA_BASE,/none}/mnist
log_dir: ${paths.root_dir}/logs/
output_dir: ${hydra:runtime.output_dir}
work_dir: ${hydra:runtime.cwd}
""",
    "configs/hydra/default.yaml": """\
run: {dir: '${paths.log_dir}/${task_name}/runs/${now:%Y-%m-%d}'}
sweep: {dir: '${paths.log_dir}/multiruns', subdir: '${hydra.job.num}'}
job_logging: {handlers: {file: {filename: '${hydra.runtime.output_dir}/${task_name}.log'}}}
""",
    "configs/experiment/example.yaml": """\
# @package _global_
defaults:
  - override /model: big
  - override /logger: csv
tags: [mnist, "${model.net.width}"]
seed: 12345
trainer: {max_epochs: 3}
""",
    "configs/hparams_search/grid.yaml": """\
# @package _global_
hydra: {sweeper: {params: {model.optimizer.lr: '0.1,0.01', data.batch_size: 'choice(32,64)'}}}
""",
    "configs/hparams_search/optuna.yaml": "# @package _global_\ndefaults:\n  - override /hydra/sweeper: optuna\n",
    "configs/local/default.yaml": "# @package _global_\nlocal: {machine: mine}\n",
    "configs/debug/default.yaml": "# @package _global_\ntask_name: debug\ntrainer: {max_epochs: 1}\n",
}
# A schema, a resolver and a package of configs.
STRUCTURED = {
    "schemas.py": """\
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

class Color(Enum):
    RED = 1
    BLUE = 2

@dataclass
class DB:
    port: int = MISSING
    color: Color = Color.RED
    path: Path = Path("/x/y")

@dataclass
class Config:
    db: DB = field(default_factory=DB)
    lr: float = 0.1
    opt: Any = None
    twice: Any = "${twice:${lr}}"

store = ConfigStore.instance()
store.store(name="base_config", node=Config)
store.store(group="db", name="base_db", node=DB)
OmegaConf.register_new_resolver("twice", lambda x: 2 * x)
""",
    "app.py": """\
import json
import sys
from pathlib import Path
sys.path.append(str(Path.cwd()))
import schemas
import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    found = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    Path(HydraConfig.get().runtime.output_dir, "composed.json").write_text(json.dumps(found, default=str))

if __name__ == "__main__":
    main()
""",
    "conf/config.yaml": (
        "defaults: [base_config, {db: mysql}, {opt: adam}, _self_]\n"
        "hydra: {searchpath: ['pkg://more_conf', 'file://beside']}\n"
    ),
    "conf/db/mysql.yaml": "defaults: [base_db]\nport: 3306\n",
    "more_conf/__init__.py": "",
    "more_conf/opt/adam.yaml": "name: adam\n",
    "beside/opt/sgd.yaml": "name: sgd\n",
}


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _orch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PROJECT_ROOT"}
    return subprocess.run(
        [Path(sys.executable).with_name("orch"), *arguments, "orch.tracking.enabled=false"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _compare(folder: Path) -> int:
    """Compare what each program composed with the config of its run, and count them."""
    count = 0
    for composed in folder.glob("results/*/training/*/output/composed.json"):
        run = composed.parents[1]
        written = yaml.safe_load((run / "config.yaml").read_text())
        found = {
            key: value for key, value in written.items() if key in json.loads(composed.read_text())
        }
        assert _without_references(found) == _without_references(
            json.loads(composed.read_text()), found
        )
        count += 1
    return count


def _without_references(node: object, like: object = None) -> object:
    """Return a config without the values from the environment, which are written as references."""
    like = node if like is None else like
    if isinstance(node, dict) and isinstance(like, dict):
        return {key: _without_references(node[key], like.get(key)) for key in node}
    return "reference" if isinstance(like, str) and "${oc.env:" in like else node


def test_template_runs_as_it_is(tmp_path: Path) -> None:
    """Its root comes from its own module, its output folder from Hydra, and it changes no key."""
    folder = _write(tmp_path, TEMPLATE)
    app = ("--app", "src/train.py")
    done = _orch(folder, "run", *app, "experiment=example", "data.batch_size=32,64", "--quiet")
    assert (done.returncode, done.stdout) == (0, "2 of 2 runs are done.\n"), done.stderr
    assert _compare(folder) == 2
    planned = json.loads(
        _orch(folder, "plan", *app, "hparams_search=grid", "debug=default", "--json").stdout
    )
    assert planned["points"] == 4
    (own, places) = planned["notes"]
    assert "paths.output_dir" in own
    assert "differ from run to run" in own
    assert "paths.root_dir" in places


def test_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """With the package that has it."""
    done = _orch(
        _write(tmp_path, TEMPLATE), "plan", "--app", "src/train.py", "hparams_search=optuna"
    )
    assert done.returncode == 2
    assert "pip install hydra-optuna-sweeper" in done.stderr
    assert done.stderr.count("\n") == 1


def test_structured_configs_compose_as_in_the_program(tmp_path: Path) -> None:
    """Schemas, a resolver and other places of configs, from the app or from a module that is named."""
    folder = _write(tmp_path, STRUCTURED)
    overrides = ["db.color=RED,BLUE", "opt=adam,sgd", "db.path=a/b"]
    done = _orch(folder, "run", "--app", "app.py", *overrides, "--quiet")
    assert (done.returncode, done.stdout) == (0, "4 of 4 runs are done.\n"), done.stderr
    assert _compare(folder) == 4
    names = ["experiment_id=app", "results_dir=results", "orch.command=[true]"]
    named = _orch(folder, "plan", "orch.setup=[schemas]", *names, *overrides, "--json")
    assert json.loads(named.stdout)["states"]["done"] == 4, named.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("db.port=abc", "Value 'abc' of type 'str' could not be converted to Integer"),
        ("db.color=PINK", "Invalid value 'PINK', expected one of [RED, BLUE]"),
        ("db.port='???'", "db.port has no value (???)"),
        ("lr=a", "Value 'a' of type 'str' could not be converted to Float"),
        ("orch.setup=[nothing.there]", "orch.setup: there is no module nothing.there."),
    ],
)
def test_what_a_schema_rejects_is_said_as_hydra_says_it(
    tmp_path: Path, override: str, message: str
) -> None:
    """In one line."""
    done = _orch(_write(tmp_path, STRUCTURED), "plan", "--app", "app.py", override)
    assert done.returncode == 2
    assert message in done.stderr
    assert "$" not in done.stderr
    assert "Traceback" not in done.stderr


def test_environment_file_reaches_the_config_and_the_program(tmp_path: Path) -> None:
    """Where the config names it; a credential in it is written nowhere."""
    files = {
        ".env": "PLACE=here\nMY_TOKEN=abcdefgh12345678\n",
        "conf/config.yaml": (
            "results_dir: results\nexperiment_id: e\nplace: ${oc.env:PLACE}\n"
            "token: ${oc.env:MY_TOKEN}\n"
            "orch: {env_file: .env, command: [sh, -c, 'echo {place} $MY_TOKEN | wc -c']}\n"
        ),
    }
    folder = _write(tmp_path, files)
    done = _orch(folder, "run", "--quiet")
    assert done.returncode == 0, done.stderr
    (run,) = folder.glob("results/e/training/*")
    assert (run / "logs/attempt-001.log").read_text().strip() == "22"
    assert "abcdefgh" not in (run / "config.yaml").read_text()
    (folder / ".env").unlink()
    refused = _orch(folder, "run")
    assert refused.returncode == 2
    assert refused.stderr.startswith("orch: orch.env_file: .env: No such file or directory.")


def test_values_that_differ_each_time_are_refused_or_excluded(tmp_path: Path) -> None:
    """An excluded one keeps the value that it had when the run was created."""
    files = {
        "draws.py": (
            "import uuid\nfrom omegaconf import OmegaConf\n"
            "OmegaConf.register_new_resolver('draw', lambda: str(uuid.uuid4()))\n"
        ),
        "conf/config.yaml": (
            "results_dir: results\nexperiment_id: e\nseed: 0\ntag: 'x-${draw:}'\n"
            "orch: {setup: [draws], command: ['true']}\n"
        ),
    }
    folder = _write(tmp_path, files)
    for command in ("plan", "run"):
        refused = _orch(folder, command, "seed=1,2")
        assert refused.returncode == 2
        assert refused.stderr.startswith("orch: tag calls the resolver draw, which returns another")
        assert "orch.identity.exclude=[tag]" in refused.stderr
    excluding = ("seed=1,2", "+orch.identity.exclude=[tag]")
    assert _orch(folder, "run", *excluding, "--quiet").returncode == 0
    before = {path: path.read_text() for path in folder.glob("results/e/training/*/config.yaml")}
    assert len(set(before.values())) == 2
    again = _orch(folder, "run", *excluding)
    assert "Nothing to do" in again.stdout
    status = json.loads(_orch(folder, "status", *excluding, "--json").stdout)
    assert [run["state"] for run in status["runs"]] == ["done", "done"]
    assert before == {path: path.read_text() for path in before}


def test_setup_stands_where_it_can_be_read_first(tmp_path: Path) -> None:
    """A group of the config is composed too late."""
    files = {
        "conf/config.yaml": (
            "defaults: [{orch: own}, _self_]\nresults_dir: results\nexperiment_id: e\n"
        ),
        "conf/orch/own.yaml": "setup: [json]\ncommand: ['true']\n",
    }
    done = _orch(_write(tmp_path, files), "plan")
    assert done.returncode == 2
    assert "orch.setup and orch.env_file are read before the config is composed." in done.stderr
