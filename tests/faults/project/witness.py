"""The witness: a module of a training that notes, beside the results, what really happened.

``witness/executed`` has a line for each attempt that began, ``witness/violations`` one for each
promise that was broken. A test that needs time holds the trainings with ``witness/hold``, or sets
their ``witness/pace``, seconds for each iteration.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Any


class Witness:
    """Sees each attempt of a run from its first to its last iteration."""

    def cb_on_train_begin(self, _trainer: Any) -> None:
        """Note the attempt; no other may live, and it has to begin where the checkpoints end."""
        run_dir = Path(os.environ["ORCH_RUN_DIR"])
        self.run_id, self.attempt = os.environ["ORCH_RUN_ID"], os.environ["ORCH_ATTEMPT"]
        self.notes = run_dir.parents[3] / "witness"
        self.alone = (self.notes / f"{self.run_id}.lock").open("w")
        try:
            fcntl.flock(self.alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._note("violations", "another attempt of this run lives")
        saved = [int(path.name[:6]) for path in (run_dir / "checkpoints").glob("0*.pt")]
        self.expected: int | None = 1 + max(saved, default=0)
        self._note("executed", str(os.getpid()))

    def cb_on_iteration_begin(self, _trainer: Any, iteration: int) -> None:
        """Take the time that the test wants it to take."""
        if self.expected not in (None, iteration):
            self._note("violations", f"began with iteration {iteration}, not {self.expected}")
        self.expected = None
        while (self.notes / "hold").exists():
            time.sleep(0.005)
        pace = self.notes / "pace"
        time.sleep(float(pace.read_text()) if pace.exists() else 0)

    def _note(self, file: str, what: str) -> None:
        """Append a line, in one write."""
        with (self.notes / file).open("a") as notes:
            notes.write(f"{self.run_id} {self.attempt} {what}\n")
