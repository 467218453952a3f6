"""Only the first rank writes the files of a run."""

from __future__ import annotations

from pathlib import Path

from torch import distributed

from trainer.checkpoints.store import Checkpoints
from trainer.interval import Interval
from trainer.null_run_files import outputs_of, recorder_of
from trainer.rank_processes import run_ranks
from trainer.run_files import Progress


def test_second_rank_leaves_no_file(tmp_path: Path) -> None:
    """The first one writes its own."""

    def train(_tell: object) -> int:
        folder = tmp_path / str(distributed.get_rank())
        (folder / "checkpoints").mkdir(parents=True)
        outputs = outputs_of(folder)
        outputs.open(since=0)
        checkpoints = Checkpoints(outputs.checkpoints, 2, "fingerprint")
        with recorder_of(checkpoints, outputs, Interval(1)) as recorder:
            recorder.record(Progress(1, 2, []), lambda: {"modules": {}}, None)
            recorder.complete(lambda: {"modules": {}})
        outputs.write_results({})
        return 0

    assert run_ranks(2, "cpu", train) == 0
    names = [sorted(path.name for path in (tmp_path / rank).rglob("*")) for rank in "01"]
    assert {"progress.json", "results.json"} < {*names[0]}
    assert names[1] == ["checkpoints"]
