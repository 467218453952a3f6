"""Secrets reach the program that needs them, and are written down nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked_orch import run_orch

CONFIG = """\
results_dir: results
experiment_id: small
rate: 1
data:
  password: canary-literal
  token: ${oc.env:HF_TOKEN}
  login: user:${data.password}
  url: https://me:canary-url@server/x?token=canary-query
  dsn: postgres://me:${data.token}@server/${rate}
  home: ${oc.env:PLACE}/data
  pin: {secret: 4711000}
  pad_token: "<pad>"
  tokens: 512
listed: [first, "${data.token}"]
chosen: ${oc.select:data.token}
orch:
  command: [FILL]
  tracking: {uri: "${oc.env:STORE}"}
"""
# Reads its config as our trainer does, and says what it is by its checksum only.
PROGRAM = """\
import json, os, sys, zlib
from omegaconf import OmegaConf
folder = os.environ["ORCH_RUN_DIR"]
cfg = OmegaConf.to_container(OmegaConf.load(folder + "/config.yaml"), resolve=True)
print(zlib.crc32(json.dumps(cfg, sort_keys=True).encode()))
points = [{"key": "rate", "value": cfg["rate"], "step": 1, "timestamp": 1}]
with open(folder + "/metrics.jsonl", "w") as file:
    file.writelines(json.dumps(point) + "\\n" for point in points)
assert cfg["data"]["pin"]["secret"] == 4711000
assert cfg["data"]["dsn"].startswith("postgres://me:canary-token@server/")
assert cfg["data"]["login"] == "user:canary-literal"
assert cfg["listed"][1] == cfg["chosen"] == "canary-token"
assert cfg["data"]["home"] == "canary-place/data"
assert "canary-query" in cfg["data"]["url"]
with open("/proc/self/cmdline") as mine, open(f"/proc/{os.getppid()}/cmdline") as runner:
    assert "canary" not in mine.read() + runner.read()
"""
CANARIES = (b"canary", b"4711000")


def orch(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call orch in a folder, with canaries in the environment."""
    canaries = {
        "HF_TOKEN": "canary-token",
        "PLACE": "canary-place",
        "STORE": f"sqlite:///{folder}/store.db",
    }
    return run_orch(*arguments, folder=folder, env={**os.environ, **canaries, **environment})


def ids(folder: Path, **environment: str) -> list[str]:
    ended = orch(folder, "plan", "rate=1,2", "--json", **environment)
    return [run["run_id"] for run in json.loads(ended.stdout)["runs"]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a config that is full of secrets."""
    (tmp_path / "conf").mkdir()
    command = json.dumps([sys.executable, str(tmp_path / "program.py")])
    (tmp_path / "conf/config.yaml").write_text(CONFIG.replace("[FILL]", command))
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def test_canaries_are_in_no_file_no_store_and_no_output(project: Path) -> None:
    """While the program has them all, as if nothing had been hidden."""
    ran = orch(project, "run", "rate=1,2", "--workers=2")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    outputs = [ran]
    outputs += [orch(project, *words) for words in (("status",), ("plan",), ("plan", "--json"))]
    outputs += [orch(project, "plan", "rate=3", "--json"), orch(project, "sync", "rate=1,2")]
    for output in outputs:
        assert output.returncode == 0
        assert not any(canary.decode() in output.stdout + output.stderr for canary in CANARIES)
    kept = [path for path in (project / "results").rglob("*") if path.is_file()]
    for path in [*kept, project / "store.db"]:
        content = path.read_bytes()
        assert not any(canary in content for canary in CANARIES), path
    config = next(path for path in kept if path.name == "config.yaml").read_text()
    assert "token: ${oc.env:HF_TOKEN}" in config
    assert "home: ${oc.env:PLACE}/data" in config
    assert "password: ${oc.env:ORCH_VALUE_DATA__PASSWORD}" in config
    assert "pad_token: <pad>" in config
    assert b"${oc.env:HF_TOKEN}" in (project / "store.db").read_bytes()


def test_another_token_is_the_same_run_and_another_place_is_not(project: Path) -> None:
    """A credential counts by its name; what else comes from the environment, by its value."""
    before = ids(project)
    assert ids(project, HF_TOKEN="canary-renewed") == before  # noqa: S106 # no real one
    assert set(ids(project, PLACE="canary-elsewhere")).isdisjoint(before)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["orch.command=[train,'${oc.env:HF_TOKEN}']"],
            "would expose ${oc.env:HF_TOKEN} in the list",
        ),
        (
            ["orch.command=[train,'--pw=${data.password}']"],
            "would expose data.password in the list",
        ),
        (
            ["data.password=canary-a,canary-b"],
            "data.password cannot be an axis: it looks like a credential",
        ),
        (
            ["data.url='https://me:canary@a/','https://me:canary@b/'"],
            "data.url cannot be an axis: it looks",
        ),
    ],
)
def test_what_everybody_could_read_is_refused(
    project: Path, arguments: list[str], said: str
) -> None:
    """In one line, which does not repeat the secret."""
    ended = orch(project, "plan", *arguments)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert said in ended.stderr
    assert "canary" not in ended.stderr


def test_words_under_keys_like_token_may_be_axes(project: Path) -> None:
    """In tables, in arguments, and in the config that the program reads."""
    (project / "conf/config.yaml").write_text(
        "results_dir: results\nexperiment_id: small\ntoken: cls\nsecret_dim: 1\nmax_new_tokens: 1\n"
        "pad_token_id: 0\norch: {tracking: {enabled: false}}\n"
    )
    (project / "program.py").write_text(
        "import os, sys\nfrom omegaconf import OmegaConf\n"
        "cfg = OmegaConf.load(os.environ['ORCH_RUN_DIR'] + '/config.yaml')\n"
        "assert sys.argv[1:] == [cfg.token, str(cfg.secret_dim)], sys.argv\n"
        "assert isinstance(cfg.secret_dim, int)\n"
    )
    grid = ["token=cls,mean", "secret_dim=3,4", "max_new_tokens=10,20", "pad_token_id=0,1"]
    command = f"+orch.command=[{sys.executable},{project}/program.py,'{{token}}','{{secret_dim}}']"
    ran = orch(project, "run", *grid, command, "--workers=2", "--only", 'token == "mean"')
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "8 of 8 runs are done" in ran.stdout
    assert '8 of them selected by  token == "mean"' in ran.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--only", "data.password == 'canary-a' !"],
        ["--only", "data.password == 'canary-a"],
        ["orch.retries={password:canary-a}"],
        ["results_dir='https://me:canary@x'"],
        ["--api_key=canary-a"],
        ["--config-dir", "https://me:canary@x"],
    ],
)
def test_error_repeats_no_credential_that_was_typed(project: Path, arguments: list[str]) -> None:
    """On the terminal, which others may see, and in the logs of a CI."""
    ended = orch(project, "plan", *arguments)
    assert ended.returncode == 2
    assert "canary" not in ended.stdout + ended.stderr


def test_password_of_a_tracking_server_is_told_nobody(project: Path) -> None:
    """Nor when the server does not answer, and MLflow says so in many words."""
    store = "http://me:canary-server@127.0.0.1:9"
    ran = orch(project, "run", "rate=1", STORE=store)
    assert ran.returncode == 0
    assert (
        "connection refused); 1 point of 1 run waits. To deliver it:\n  orch sync rate=1"
        in ran.stdout
    )
    synced = orch(project, "sync", "rate=1", STORE=store)
    assert synced.returncode == 3
    assert "orch sync rate=1" in synced.stdout
    kept = [path for path in (project / "results").rglob("*") if path.is_file()]
    assert not any(b"canary" in path.read_bytes() for path in kept)
    assert "canary" not in ran.stdout + ran.stderr + synced.stdout + synced.stderr
