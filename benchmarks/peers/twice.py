"""The program of ``grid.py`` that compares a run with its training alone.

Every second run trains again in the same process, which is warm then.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import trainer.data.digits
import trainer.models.mlp
import trainer.trainer  # noqa: F401 # the launcher loads these before the forks, so we do
from trainer.__main__ import StopSignals, run_training
from trainer.__main__ import main as train

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Train ``RUN_DIR SEED``; with an odd seed train again, and record the seconds of that.

    The others do nothing else, because it would be measured as a part of the run.
    """
    run_dir = Path(arguments[0])
    code = train(arguments[:1])
    if int(arguments[1]) % 2:
        again = run_dir / "again"
        again.mkdir()
        shutil.copy(run_dir / "config.yaml", again)
        begun = time.perf_counter()
        run_training(again, StopSignals())
        (run_dir / "again.txt").write_text(str(time.perf_counter() - begun))
    return code
