"""A training that takes no time: gradient descent on (x - 3) ** 2."""

import argparse
import json
import time

import orch

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--pause", type=float, required=True)
args = parser.parse_args()

run = orch.current()
x, first = 0.0, 0
if checkpoint := run.checkpoint():
    first, x = json.loads(checkpoint.read_text())

for step in range(first, args.steps):
    x -= args.lr * 2 * (x - 3)
    run.log({"loss": (x - 3) ** 2}, step=step)
    (run.dir / "checkpoints").mkdir(exist_ok=True)
    new = run.dir / "checkpoints" / "state.json.tmp"
    new.write_text(json.dumps([step + 1, x]))
    new.replace(new.with_suffix(""))
    run.progress(step + 1, args.steps, saved=step + 1)
    if run.stop_requested:
        run.stop()
    time.sleep(args.pause)

print(f"x = {x:.4f}")
if abs(x) > 1000:
    raise SystemExit("diverged: x is far away")
run.finish({"x": x})
