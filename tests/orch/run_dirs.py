"""Makes run directories for the tests of what reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml


def make_run(folder: Path, run_id: str, config: dict[str, Any], **files: Any) -> Path:
    """Return a run directory with a config and these files; lists become lines."""
    run = folder / "training" / run_id.ljust(16, "0")
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (run / "run.lock").touch()
    for name, content in files.items():
        if isinstance(content, list):
            lines = "".join(f"{json.dumps(point)}\n" for point in content)
            (run / f"{name}.jsonl").write_text(lines)
        else:
            (run / f"{name}.json").write_text(json.dumps(content))
    return run


def point(key: str, step: int, value: Any) -> dict[str, Any]:
    """Return a line of metrics.jsonl."""
    return {"key": key, "step": step, "value": value, "timestamp": step}
