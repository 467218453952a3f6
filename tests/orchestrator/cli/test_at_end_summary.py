"""``orch.at_end`` is told how ``orch run`` ended, also after it was stopped, and changes nothing."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import call

CONFIG = f"""\
results_dir: {{folder}}/results
experiment_id: told
lr: 0.1
orch:
  command: [{sys.executable}, -c, "import sys; sys.exit({{{{lr}}}} > 1)"]
  tracking: {{{{enabled: false}}}}
  at_end: [sh, -c, "cat > {{folder}}/told.json"]
"""


@pytest.fixture
def orch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(CONFIG.format(folder=tmp_path))

    def run(*arguments: str) -> tuple[int, str]:
        code = call(["--config-dir", f"{tmp_path}/conf", "run", "--workers=1", *arguments])
        return code, capsys.readouterr().out

    return run


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "told.json").read_text())
    (folder / "told.json").unlink()
    return found


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_command_is_told_what_failed_and_what_is_left(
    orch: Callable[..., tuple[int, str]], tmp_path: Path, as_json: list[str]
) -> None:
    code, _ = orch("lr=0.1,2,0.3", "--fail-fast", *as_json)
    found = told(tmp_path)
    assert (code, found["exit_code"]) == (1, 1)
    counts = [found[name] for name in ("runs", "done", "failed", "left", "interrupted")]
    assert counts == [3, 1, 1, 1, False]
    assert found["text"] == "told: 1 of 3 runs are done, 1 failed, 1 left"
    assert found["reason"] == "1 failed, which is the most allowed"
    (failure,) = found["failures"]
    assert failure["overrides"] == {"lr": 2}
    assert Path(failure["log"]).exists()
    assert found["started_at"] < found["ended_at"]


def test_command_is_not_started_if_there_was_nothing_to_do(
    orch: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    orch()
    told(tmp_path)
    assert orch()[0] == 0
    assert not (tmp_path / "told.json").exists()


def test_failure_of_the_command_is_told_and_changes_no_exit_code(
    orch: Callable[..., tuple[int, str]],
) -> None:
    code, output = orch("orch.at_end=[sh,-c,'echo no network; exit 3']")
    assert code == 0
    assert "orch.at_end failed: exit code 3: no network\n1 of 1 run is done." in output
    code, output = orch("lr=0.2", "orch.at_end=[false]", "--json")
    *_, event, last = map(json.loads, output.splitlines())
    assert event == {"event": "at_end_failed", "reason": "exit code 1"}
    assert (code, last["event"]) == (0, "finished")
