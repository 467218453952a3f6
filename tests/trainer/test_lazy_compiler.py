"""PyTorch's compiler is loaded when something is compiled, and is then the real one for everybody.

Each case is a process of its own, for what is imported stays: a fork of one that has imported PyTorch.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from thinning import others_in_soak

PREPARE = """
import sys
import torch
from trainer.lazy_compiler import LateDynamo, load_late

load_late()
model = torch.nn.Linear(3, 2)
optimizer = torch.optim.Adam(model.parameters(), fused=True)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)

def step():
    optimizer.zero_grad()
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    scheduler.step()
    optimizer.load_state_dict(optimizer.state_dict())

step()
import torch._dynamo
early = sys.modules["torch._dynamo"]
assert isinstance(sys.modules["torch._dynamo"], LateDynamo)
assert sys.modules["torch._dynamo"] is torch._dynamo
assert "torch._dynamo.eval_frame" not in sys.modules
"""

CHECK = """
real = sys.modules["torch._dynamo"]
assert torch._dynamo is real and type(real) is type(sys)
assert not any(type(finder).__module__ == "trainer.lazy_compiler" for finder in sys.meta_path)
for name, module in [*sys.modules.items()]:
    if name.startswith("torch._dynamo."):
        assert type(module.__spec__.loader).__module__ != "trainer.lazy_compiler", name
        above, _, own = name.rpartition(".")
        known = getattr(sys.modules[above], own)
        # Nobody holds one that was run another time.
        held = [value for value in vars(module).values() if type(value) is type(sys)]
        assert all(sys.modules.get(value.__name__, value) is value for value in held), name
        # Some names are taken by what the module of that name has in it.
        assert known is module or type(known) is not type(sys), name
for module in (early, real):
    assert module.disable is real.disable
    assert module.graph_break is real.graph_break
assert hasattr(early.disable(fn=lambda: 1), "_torchdynamo_disable")
early.graph_break(msg="here")
step()
kept = torch.optim.Optimizer.zero_grad.__wrapped__.__dynamo_disable
assert hasattr(kept, "_torchdynamo_disable")
"""

USES = {
    "compiling": "assert torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item() == 2",
    "compiling a step": "torch.compile(step, backend='eager')()",
    "a module's compile": "model.compile(backend='eager'); step()",
    "an attribute": "torch._dynamo.config.suppress_errors = True",
    "a new attribute": "torch._dynamo.mine = 1; assert sys.modules['torch._dynamo'].mine == 1",
    "a module in it": "import torch._dynamo.config",
    "a module deep in it": "from torch._dynamo.backends.registry import lookup_backend",
    "a name in it": "from torch._dynamo import optimize",
    "the decorator": "assert hasattr(early.disable(lambda: 1), '_torchdynamo_disable')",
    "a break": "torch._dynamo.graph_break(msg='here')",
    "a break bound early": """
from torch._dynamo import graph_break
import torch._dynamo.testing

def broken(x):
    y = x + 1
    graph_break()
    return y * 2

counter = torch._dynamo.testing.CompileCounter()
torch.compile(broken, backend=counter)(torch.ones(1))
assert counter.frame_count == 2
""",
    "export": "torch.export.export(model, (torch.ones(1, 3),))",
    "another thread imports what it needs": """
import threading
assert "sympy" not in sys.modules
begun = threading.Event()

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("sympy."):
            begun.set()

sys.meta_path.insert(0, Finder())
thread = threading.Thread(target=__import__, args=("sympy",))
thread.start()
begun.wait()
from torch._dynamo.backends.registry import lookup_backend
thread.join()
""",
}

# What users do most, and what is hardest; each takes seconds.
OFTEN = ("a module's compile", "a break bound early", "another thread imports what it needs")


Run = Callable[[str], None]
# Executes the scripts that it reads, each in a fork and in the folder that stands before it.
FORKING = """
import json, os, sys, traceback
import torch
for line in sys.stdin:
    folder, script = json.loads(line)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.chdir(folder)
            os.dup2(os.open("said by the script", os.O_WRONLY | os.O_CREAT), 1)
            exec(compile(script, "script", "exec"), {"__name__": "__main__"})
            code = 0
        except BaseException:
            with open("said", "w") as said:
                traceback.print_exc(file=said)
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def forking() -> Iterator[subprocess.Popen[str]]:
    """Return a process that has imported PyTorch and nothing else, and forks."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", FORKING], stdin=pipe, stdout=pipe, text=True
    ) as process:
        yield process


@pytest.fixture
def run(forking: subprocess.Popen[str], tmp_path: Path) -> Run:
    """Return what executes a script that must end without an error."""

    def execute(script: str) -> None:
        assert forking.stdin
        assert forking.stdout
        forking.stdin.write(f"{json.dumps([str(tmp_path), script])}\n")
        forking.stdin.flush()
        said = tmp_path / "said"
        assert forking.stdout.readline() == "0\n", said.read_text() if said.exists() else "killed"

    return execute


@pytest.mark.parametrize("use", others_in_soak(USES, OFTEN))
def test_first_use_loads_the_real_one(use: str, run: Run) -> None:
    """Code that had the stub before goes on with the real module."""
    run(f"{PREPARE}\n{USES[use]}\n{CHECK}")


def test_missing_module_in_it_is_missing(run: Run) -> None:
    """With Python's own words."""
    run(
        f"""{PREPARE}
try:
    import torch._dynamo.nowhere
except ModuleNotFoundError as error:
    assert str(error) == "No module named 'torch._dynamo.nowhere'", error
else:
    raise AssertionError
{CHECK}"""
    )


def test_nothing_changes_where_it_is_loaded_already(run: Run) -> None:
    """As in a notebook that has compiled something before."""
    run(
        """
import sys
import torch._dynamo
before = torch._dynamo
from trainer.lazy_compiler import load_late
load_late()
assert sys.modules["torch._dynamo"] is torch._dynamo is before
"""
    )


def test_training_does_without_it(run: Run) -> None:
    """The whole of one, schedulers, curriculum, checkpoints, resume and test included."""
    run(
        f"""
import sys
from pathlib import Path
from omegaconf import OmegaConf
import trainer.preload
from trainer.trainer import ModularTaskTrainer

conf = Path({str(Path(__file__).parents[2] / "conf")!r})
cfg = OmegaConf.load(conf / "config.yaml")
groups = {{
    "data": "digits", "model": "mlp", "optimizer": "adam", "scheduler": "cosine",
    "criterion": "cross_entropy", "curriculum": "random",
}}
for group, name in groups.items():
    cfg[group] = OmegaConf.load(conf / group / f"{{name}}.yaml")
for cfg.iterations in (1, 2):
    ModularTaskTrainer(cfg, Path.cwd()).train()
loaded = [name for name in sys.modules if name.startswith(("torch._dynamo.", "torch._inductor"))]
assert not loaded, loaded
"""
    )
