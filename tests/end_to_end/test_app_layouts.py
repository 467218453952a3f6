"""Apps of every layout: their ``config.yaml`` is what they compose themselves, or one line says why not."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from composing import POINTS, execute
from hydra.core.plugins import Plugins

from orchestrator.errors import OrchestratorError
from orchestrator.planning.load import ConfigSource, load_plan

NOTE = """
import os, pathlib
from omegaconf import OmegaConf
def note(cfg):
    found = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True, enum_to_str=True)
    found.pop("orch", None)
    pathlib.Path(os.environ["ORCH_RUN_DIR"], "composed.txt").write_text(repr(found))
"""
HEAD = "import sys\nsys.path.insert(0, HERE)\nfrom note_of_test import note\nimport hydra\n"
DECORATOR = '@hydra.main(version_base="1.3", config_path="conf", config_name="config")\n'
MAIN = 'def main(cfg):\n    note(cfg)\nif __name__ == "__main__":\n    main()\n'
CONFIG = "defaults: [_self_, {model: mlp}]\nlr: 0.1\nname: ${model.kind}-${lr}\n"
CONFS = {
    "conf/config.yaml": CONFIG,
    "conf/model/mlp.yaml": "kind: mlp\nwidth: 8\n",
    "conf/model/cnn.yaml": "kind: cnn\n",
}
TYPED = ("lr=1,2", "model=cnn")
STORE = """
from dataclasses import dataclass, field
from typing import Any
from hydra.core.config_store import ConfigStore
@dataclass
class Model:
    kind: str = "mlp"
@dataclass
class Config:
    defaults: list[Any] = field(default_factory=lambda: ["_self_", {"model": "mlp"}])
    lr: float = 0.1
    model: Any = None
def store():
    ConfigStore.instance().store("config", Config)
    ConfigStore.instance().store("mlp", Model, group="model")
    ConfigStore.instance().store("cnn", {"kind": "cnn"}, group="model")
"""


@dataclass(frozen=True)
class Layout:
    """An app, how it is named, what is typed, and the line that refuses it, if any."""

    files: dict[str, str]
    typed: tuple[str, ...] = TYPED
    program: str = "train.py"
    line: str = ""
    place: tuple[str, ...] = ()


def app(
    decorator: str = DECORATOR, main: str = MAIN, name: str = "train.py", **conf: str
) -> dict[str, str]:
    """Return the files of an app with the usual configs, or with others."""
    return {**CONFS, name: HEAD + decorator + main, **conf}


def moved(folder: str, files: dict[str, str]) -> dict[str, str]:
    """Return files with another config folder."""
    return {name.replace("conf/", f"{folder}/", 1): text for name, text in files.items()}


def primary(text: str, **more: str) -> dict[str, str]:
    """Return an app whose primary config has more text."""
    return {**app(), "conf/config.yaml": CONFIG + text, **more}


LAYOUTS = {
    "main under another name": Layout(app("from hydra import main as go\n" + DECORATOR.replace("hydra.main", "go"))),
    "hydra under another name": Layout(app("import hydra as h\n" + DECORATOR.replace("@hydra", "@h"))),
    "absolute config_path": Layout(app(DECORATOR.replace('"conf"', "HERE '/conf'"))),
    "config_path of a package": Layout(
        moved("pack/conf", {**app(DECORATOR.replace('"conf"', '"pkg://pack.conf"')), "pack/__init__.py": "", "conf/__init__.py": ""})
    ),
    "config_path None, configs in Python": Layout(
        {"train.py": HEAD + STORE + "store()\n" + DECORATOR.replace('"conf"', "None") + MAIN}
    ),
    "no config_path, configs in Python": Layout(
        {"train.py": HEAD + STORE + "store()\n" + DECORATOR.replace('config_path="conf", ', "") + MAIN}
    ),
    "configs in Python, registered at the start only": Layout(
        {
            "train.py": HEAD + STORE + DECORATOR.replace('"conf"', "None")
            + MAIN.replace("    main()", "    store()\n    main()")
        },
        line="no module that was imported registers it",
    ),
    "version_base 1.1": Layout(app(DECORATOR.replace('"1.3"', '"1.1"'))),
    "version_base 1.2": Layout(app(DECORATOR.replace('"1.3"', '"1.2"'))),
    "version_base None": Layout(app(DECORATOR.replace('"1.3"', "None"))),
    "no version_base": Layout(app(DECORATOR.replace('version_base="1.3", ', ""))),
    "version_base by a name": Layout(app('BASE = "1.1"\n' + DECORATOR.replace('"1.3"', "BASE"))),
    "config_name with its extension": Layout(app(DECORATOR.replace('"config"', '"config.yaml"'))),
    "positional arguments": Layout(app('@hydra.main("conf", "config", "1.3")\n')),
    "config_path with a slash": Layout(app(DECORATOR.replace('"conf"', '"./conf/"'))),
    "config_path by a name": Layout(app('CONF = "conf"\n' + DECORATOR.replace('"conf"', "CONF"))),
    "config_path as an f-string": Layout(
        app('BASE: str = "co"\n' + DECORATOR.replace('"conf"', 'f"{BASE}nf"'))
    ),
    "config_path beside the file, by pathlib": Layout(
        app(
            "from pathlib import Path\nROOT = Path(__file__).resolve().parent\n"
            + DECORATOR.replace('"conf"', 'str(ROOT / "conf")')
        )
    ),
    "config_path beside the file, by os.path": Layout(
        app("import os\n" + DECORATOR.replace('"conf"', 'os.path.join(os.path.dirname(__file__), "conf")'))
    ),
    "config_path of the environment": Layout(
        app("import os\n" + DECORATOR.replace('"conf"', 'os.environ.get("CONF", "conf")')),
        line="train.py, line 6: config_path is not a constant",
    ),
    "config_path of the environment, given": Layout(
        app("import os\n" + DECORATOR.replace('"conf"', 'os.environ.get("CONF", "conf")')),
        place=("conf", "config"),
    ),
    "program in a package": Layout(
        {**moved("src/pack/conf", app(name="src/pack/train.py")), "src/pack/__init__.py": ""},
        program="src/pack/train.py",
    ),
    "module of a package with relative imports": Layout(
        moved("pack/conf", {**app("from .more import X\n" + DECORATOR, name="pack/train.py"), "pack/more.py": "X = 1\n"}),
        program="pack.train",
    ),
    "config folder beside that of the program": Layout(
        moved("configs", app(DECORATOR.replace('"conf"', '"../configs"'), name="src/train.py")),
        program="src/train.py",
    ),
    "folders with spaces and other letters": Layout(
        moved("my cönf, x=1", app(DECORATOR.replace('"conf"', '"../my cönf, x=1"'), name="s r'c/tr ain.py")),
        program="s r'c/tr ain.py",
    ),
    "decorated below": Layout(
        app("import functools\ndef timed(f):\n    @functools.wraps(f)\n    def inner(*args):\n        return f(*args)\n    return inner\n" + DECORATOR + "@timed\n")
    ),
    "decorated above": Layout(
        app("import functools\ndef timed(f):\n    @functools.wraps(f)\n    def inner(*args):\n        return f(*args)\n    return inner\n@timed\n" + DECORATOR)
    ),
    "called without a decorator": Layout(
        app("", "def main(cfg):\n    note(cfg)\nif __name__ == '__main__':\n    " + DECORATOR[1:-1] + "(main)()\n")
    ),
    "main inside of a function": Layout(
        app("", "def cli():\n    " + DECORATOR + "    def main(cfg):\n        note(cfg)\n    main()\nif __name__ == '__main__':\n    cli()\n")
    ),
    "started without a guard": Layout(app(main="def main(cfg):\n    note(cfg)\nmain()\n")),
    "two apps in a file": Layout(
        app(main=MAIN + DECORATOR.replace("config", "other") + "def other(cfg): ...\n"),
        line="has 2 @hydra.main functions. Choose the one",
    ),
    "arguments of its own": Layout(
        app("if '--debug' in sys.argv: sys.argv.remove('--debug')\nimport argparse\n"
            "known, rest = argparse.ArgumentParser().parse_known_args()\nsys.argv[1:] = rest\n" + DECORATOR)
    ),
    "arguments parsed when imported": Layout(
        app("import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('rest', nargs='*')\n"
            "parser.parse_args()\n" + DECORATOR)
    ),
    "overrides that it adds itself": Layout(
        app(main=MAIN.replace("    main()", "    sys.argv.append('model.width=9')\n    main()")),
        typed=("lr=1",), line="recorded",
    ),
    "asynchronous": Layout(
        app(main=MAIN.replace("    note(cfg)", "    import asyncio\n    async def go():\n        note(cfg)\n    asyncio.run(go())"))
    ),
    "composed with the compose API": Layout(
        {**CONFS, "train.py": HEAD + "with hydra.initialize('conf', version_base=None):\n    note(hydra.compose('config'))\n"},
        line="train.py has no @hydra.main function",
    ),
    "defaults that override, options, packages": Layout(
        {
            **app(),
            "conf/config.yaml": "defaults:\n- base\n- _self_\n- optional local: mine\n- model@teacher: mlp\n- override model: cnn\n- override data@train: digits\nlr: 0.1\n",
            "conf/base.yaml": "defaults:\n- model: mlp\n- data@train: null\nlr: 3\nx: 1\n",
            "conf/data/digits.yaml": "size: 9\n",
            "conf/experiment/big.yaml": "# @package _global_\ndefaults:\n- override /model: mlp\n- override /data@train: null\nlr: 7\n",
        },
        typed=("+experiment=big", "model@teacher=cnn,mlp", "x=2"),
    ),
    "logging and callbacks of its own": Layout(
        primary(
            "hydra:\n  callbacks: {mine: {_target_: callbacks_of_test.Mine}}\n  job_logging: {root: {level: WARNING}}\n",
            **{"callbacks_of_test.py": "from hydra.experimental.callback import Callback\nclass Mine(Callback): ...\n"},
        ),
        typed=("lr=1,2", "hydra/job_logging=none", "hydra.hydra_logging.root.level=ERROR"),
    ),
    "output folder of its own": Layout(primary("hydra: {run: {dir: 'own/${now:%H-%M}'}}\nout: '${hydra:runtime.output_dir}'\n")),
    "changes into its output folder": Layout(primary("hydra: {job: {chdir: true, name: mine}}\nname2: '${hydra:job.name}'\n")),
    "sweep in its config": Layout(
        primary("hydra: {mode: MULTIRUN, sweeper: {params: {lr: '1,2', model: 'cnn,mlp'}}}\n"), typed=("lr=5",)
    ),
    "no output folder of Hydra's": Layout(primary("hydra: {output_subdir: null}\n")),
    "environment that it sets for its job": Layout(
        primary("hydra: {job: {env_set: {SIZE_OF_TEST: '3'}}}\nsize: ${oc.env:SIZE_OF_TEST}\n"),
        line="the environment variable SIZE_OF_TEST is not set. Set it,",
    ),
    "environment file": Layout(
        primary("size: ${oc.env:SIZE_IN_FILE}\norch: {env_file: own.env}\n", **{"own.env": "SIZE_IN_FILE=9\n"}),
    ),
    "values of Hydra's": Layout(
        primary("job: '${hydra:job.name}'\nchoice: '${hydra:runtime.choices.model}'\ncfg: '${hydra:job.config_name}'\n"
                "cwd: '${hydra:runtime.cwd}'\nout: '${hydra:runtime.output_dir}/x'\nmode: '${hydra:mode}'\n"
                "dirname: '${hydra:job.override_dirname}'\nversion: '${hydra:runtime.version}'\n")
    ),
    "number of its job": Layout(primary("num: '${hydra:job.num}'\n"), line="hydra:job.num"),
    "time of its start": Layout(primary("at: '${now:%Y}'\n"), line="now"),
    "folder of its sweep": Layout(
        primary("out: '${hydra:sweep.dir}/${hydra:sweep.subdir}'\nhydra: {sweep: {dir: 'x/${now:%H}'}}\n")
    ),
    "resolver that is registered at the start only": Layout(
        {**app(main=MAIN.replace("    main()", "    from omegaconf import OmegaConf\n    OmegaConf.register_new_resolver('late_of_test', lambda x: x)\n    main()")),
         "conf/config.yaml": CONFIG + "late: '${late_of_test:${lr}}'\n"},
        line="late_of_test",
    ),
    "search path": Layout(
        {**primary("hydra: {searchpath: ['file://more', 'pkg://pack_of_test']}\n"),
         "more/model/big.yaml": "kind: big\n", "pack_of_test/__init__.py": "", "pack_of_test/opt/sgd.yaml": "o: sgd\n"},
        typed=("model=big", "+opt=sgd"),
    ),
    "orch.app and a name that is taken": Layout(primary("experiment_id: own\nresults_dir: there\n")),
    "no config at all": Layout({"train.py": HEAD + "@hydra.main(version_base=None)\n" + MAIN}, typed=("+lr=1,2",), line="has no config_name"),
}  # fmt: skip


# The line that refuses a layout whose function is named, and not its file.
NO_FUNCTIONS = {
    "called without a decorator": "train:main becomes an app in line 8 of train.py only. Decorate it",
    "main inside of a function": "train:main becomes an app in line 6 of train.py only. Decorate it",
    "overrides that it adds itself": "",  # only if it is started as a script
    "started without a guard": "train:main is called in line 8 whenever train.py is imported",
}
# What is not the name of a module, or is refused with another function.
NOT_NAMED = ("folders with spaces and other letters", "composed with the compose API")


def _in_a_fork(
    folder: Path, layout: Layout, entry_point: str, points: int, sender: Connection
) -> None:
    """Plan and execute; send what is wrong, or the line that refuses the app."""
    os.chdir(folder)
    given = layout.place or (None, None)
    typed = [*layout.typed, f"orch.entry_point={entry_point}"] if entry_point else layout.typed
    try:
        planned = load_plan(
            ConfigSource(given[0] and Path(given[0]), given[1], typed, layout.program)  # type: ignore[arg-type]
        )
    except OrchestratorError as error:
        sender.send((0, str(error)))
        return
    wrong = execute(planned, entry_point, points)
    sender.send((len(planned.plan.decisions), "\n".join(wrong)))


def _cases(names: list[str], first: int) -> list[Any]:
    """Return every fourth layout with one run, and in the soak all of them with all of their runs."""
    short = [pytest.param(name, 1, id=name) for name in names[first::4]]
    whole = [
        pytest.param(name, POINTS, id=f"{name}, all runs", marks=pytest.mark.soak) for name in names
    ]
    return short + whole


@pytest.mark.parametrize(("name", "points"), _cases([*LAYOUTS], 0))
def test_app_of_any_layout_composes_what_is_recorded(
    tmp_path: Path, name: str, points: int
) -> None:
    """Its decorator is read without executing the program."""
    _check(tmp_path, LAYOUTS[name], "", LAYOUTS[name].line, points)


@pytest.mark.parametrize(
    ("name", "points"), _cases([name for name in LAYOUTS if name not in NOT_NAMED], 2)
)
def test_function_of_any_layout_composes_what_is_recorded(
    tmp_path: Path, name: str, points: int
) -> None:
    """Or a line says why it cannot be called."""
    program = LAYOUTS[name].program
    module = program.removesuffix(".py").replace("/", ".")
    line = NO_FUNCTIONS.get(name, LAYOUTS[name].line)
    _check(tmp_path, LAYOUTS[name], f"{module}:main", line, points)


def _check(tmp_path: Path, layout: Layout, entry_point: str, line: str, points: int) -> None:
    Plugins.instance()  # once for all forks
    for file, text in {**layout.files, "note_of_test.py": NOTE}.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shown = text.replace("HERE", repr(str(tmp_path)))
        (tmp_path / file).write_text(shown, encoding="utf-8")
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=_in_a_fork, args=(tmp_path, layout, entry_point, points, sender)
    )
    child.start()
    sender.close()
    runs, told = receiver.recv()
    child.join()
    if line:
        assert line in told
        assert "\n" not in told
    else:
        assert told == ""
        assert runs > 0
