"""A training that takes no time: gradient descent on (x - 3) ** 2."""

import json
import os
import time
from pathlib import Path

import yaml

run_dir = Path(os.environ["ORCH_RUN_DIR"])
cfg = yaml.safe_load((run_dir / "config.yaml").read_text())

x = 0.0
with (run_dir / "metrics.jsonl").open("a") as metrics:
    for step in range(1, cfg["steps"] + 1):
        x -= cfg["lr"] * 2 * (x - 3)
        loss = (x - 3) ** 2
        timestamp = time.time_ns() // 10**6
        point = {"key": "loss", "value": loss, "step": step, "timestamp": timestamp}
        metrics.write(json.dumps(point) + "\n")
progress = {"iteration": cfg["steps"], "iterations": cfg["steps"], "metrics": {"loss": loss}}
(run_dir / "progress.json").write_text(json.dumps(progress))
print(f"x = {x:.4f}")
if loss > 1e6:
    raise SystemExit("diverged: the loss is larger than at the start")
(run_dir / "results.json").write_text(json.dumps({"test": {"x": x}}))
