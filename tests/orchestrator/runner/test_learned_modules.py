"""What the import of a learned module sets and registers belongs to each fork."""

import atexit
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.runner import learned_modules


def test_variables_and_functions_to_call_at_the_end_are_kept_for_forks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not called at the end of the process that forks; a missing module is passed over."""
    (tmp_path / "learned_one.py").write_text(
        "import atexit, os\nos.environ['LEARNED'] = 'yes'\n"
        "@atexit.register\ndef say(): print('the end')\n"
    )
    (tmp_path / "forks.py").write_text(
        "import os, sys\nfrom orchestrator.runner import learned_modules\n"
        "learned_modules.load(['learned_none', 'learned_one'])\n"
        "if os.fork():\n    os.wait()\n"
        "else:\n    learned_modules.register_at_exit()\n"
        "    print(dict(learned_modules.variables()))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    told = subprocess.check_output([sys.executable, tmp_path / "forks.py"], text=True)
    assert told == "{'LEARNED': 'yes'}\nthe end\n"


def test_registering_works_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the imports are watched."""
    monkeypatch.setattr(learned_modules, "_variables", {})
    usual = atexit.register
    learned_modules.load(["this_module_does_not_exist"])
    assert atexit.register is usual
    assert learned_modules.variables() == {}
    assert "LEARNED" not in os.environ
