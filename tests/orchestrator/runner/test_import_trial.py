"""What may be loaded before a fork: modules that do nothing that a fork does not survive."""

import os
import sys
from multiprocessing import Pipe
from pathlib import Path

import pytest

from orchestrator.runner.import_trial import judge, try_in_fork
from orchestrator.runner.new_imports import NewImports

HARMFUL = {
    "a thread": "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "a process": "import subprocess; child = subprocess.Popen(['cat'], stdin=subprocess.PIPE)",
    "a device": "device = open('/dev/full')",
    "a random number": "import random; random.random()",
    "a random number of NumPy": "import numpy; numpy.random.rand()",
    "a random number of PyTorch": "import torch; torch.rand(1)",
    "a signal handler": "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
    "another folder": "import os; os.chdir('/')",
    "a variable that the run sets": "import os; os.environ.get('GIVEN')",
    "a variable whose presence it asks for": "import os; 'GIVEN' in os.environ",
    "a variable that it sets otherwise": "import os; os.environ['GIVEN'] = 'mine'",
    "a variable that the run does not have": "import os; os.environ['MORE'] = '1'",
    "an error": "raise ImportError('no')",
    "an end": "import sys; sys.exit(3)",
    "a crash": "import os; os.abort()",
}


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewImports:
    """Return what a run found: a module to be judged among harmless ones."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GIVEN", "by orch")
    names = ("trial_before", "trial_judged", "trial_brought", "trial_after")
    for name in names:
        (tmp_path / f"{name}.py").write_text("import os; os.environ.get('HOME')\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
    return NewImports(names, {**os.environ, "GIVEN": "by the run"})


@pytest.mark.parametrize("does", HARMFUL)
def test_module_that_does_harm_is_left_out_with_what_it_brought_along(
    does: str, found: NewImports, tmp_path: Path
) -> None:
    """What comes after it is judged in a process that has not imported it."""
    for module in ("numpy.random", "torch"):
        __import__(module)
    (tmp_path / "trial_judged.py").write_text(f"import trial_brought\n{HARMFUL[does]}\n")
    harmless = judge(found).harmless
    # Nothing tells what came along before a crash.
    assert set(harmless) - {"trial_brought"} == {"trial_before", "trial_after"}
    assert does == "a crash" or "trial_brought" not in harmless


def test_harmless_modules_are_returned_in_the_order_of_their_import(found: NewImports) -> None:
    """With the time that they took; this process imports none of them."""
    judged = judge(found)
    assert judged.harmless == found.names
    assert judged.seconds > 0
    assert not {*found.names} & {*sys.modules}


def test_variable_may_be_set_and_read_where_the_run_did_the_same(
    found: NewImports, tmp_path: Path
) -> None:
    """The import in the run had the same effect."""
    (tmp_path / "trial_judged.py").write_text(
        "import os\nos.environ['MORE'] = '1'\nos.environ['MORE']\n"
    )
    environment = {**found.environment, "MORE": "1"}
    assert judge(NewImports(found.names, environment)).harmless == found.names


def test_verdict_is_sent(found: NewImports) -> None:
    """From a fork, whose output goes nowhere."""
    receiver, sender = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            try_in_fork(sender, found)
        finally:
            os._exit(0)
    sender.close()
    assert receiver.recv().harmless == found.names
    os.waitpid(child, 0)
