"""The scripts of ``orch completion`` complete in the shells that are installed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.main import call

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
ASK = """
eval "$(orch completion bash)"
COMP_LINE="orch run model=s"; COMP_POINT=${#COMP_LINE}
compopt() { :; }
_orch_complete orch
printf '%s|' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_one_that_its_shell_accepts(
    shell: str, output: Callable[[], str], tmp_path: Path
) -> None:
    assert call(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(output())
    assert f"orch completion {shell}" in script.read_text()
    if program := shutil.which(shell):
        subprocess.run([program, "-n", script], check=True)


def test_bash_completes_a_choice(tmp_path: Path) -> None:
    (tmp_path / "conf/model").mkdir(parents=True)
    for name in ("small", "smaller", "wide"):
        (tmp_path / f"conf/model/{name}.yaml").touch()
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK],
        cwd=tmp_path,
        env=os.environ | {"PATH": PATH},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "small|smaller|"
