"""A run of several processes, which `torchrun` starts: as many as it has GPUs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONFIG = """\
results_dir: results
experiment_id: ranks
world_size: 2
orch:
  gpus_per_run: ${world_size}
  command: [TORCHRUN, --standalone, --nproc-per-node, "{gpus}", rank.py]
  tracking: {enabled: false}
"""
# A rank of the first attempt is killed while the other one waits for it.
RANK = """\
import os, pathlib, signal
if os.environ["ORCH_ATTEMPT"] == "1":
    os.kill(os.getpid(), signal.SIGKILL) if os.environ["RANK"] == "1" else signal.pause()
pathlib.Path(os.environ["ORCH_RUN_DIR"], "rank-" + os.environ["RANK"]).write_text(os.environ["WORLD_SIZE"])
"""


def test_killed_rank_is_a_killed_run_and_is_retried(tmp_path: Path) -> None:
    """Although `torchrun` exits with 1; the number of ranks is part of the run ID."""
    scripts = Path(sys.executable).parent
    (tmp_path / "conf").mkdir()
    config = CONFIG.replace("TORCHRUN", str(scripts / "torchrun"))
    (tmp_path / "conf/config.yaml").write_text(config)
    (tmp_path / "rank.py").write_text(RANK)
    command = [scripts / "orch", "run", "--json", "--retries=1", "--gpus=none", "--workers=1"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=250
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    (retrying,) = [event for event in events if event["event"] == "retrying"]
    assert retrying["reason"].startswith("killed: by SIGKILL")
    (run_dir,) = tmp_path.glob("results/ranks/training/*")
    assert [(run_dir / f"rank-{rank}").read_text() for rank in range(2)] == ["2", "2"]
    assert "world_size: 2" in (run_dir / "config.yaml").read_text()
