"""Hydra apps made at random: groups, packages, interpolations, and overrides of every kind."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

APP = """\
import os
from pathlib import Path

import hydra
from omegaconf import OmegaConf
{registrations}

@hydra.main({arguments})
def main(cfg):
    composed = OmegaConf.to_container(
        cfg, resolve=True, throw_on_missing=True, enum_to_str=True
    )
    Path(os.environ["ORCH_RUN_DIR"], "composed.txt").write_text(repr(composed), encoding="utf-8")


if __name__ == "__main__":
    main()
"""
REGISTRATIONS = """
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore

OmegaConf.register_new_resolver("times", lambda one, other: one * other, replace=True)


class Colour(Enum):
    RED = 1
    GREEN = 2


@dataclass
class Inner:
    size: int = 3
    text: str = "a: b"


@dataclass
class Typed:
    rate: float = 1
    count: int = 2
    colour: Colour = Colour.RED
    items: list[float] = field(default_factory=lambda: [1, 2])
    inner: Inner = field(default_factory=Inner)
    maybe: int | None = None
    anything: Any = "1"


ConfigStore.instance().store(group="typed", name="schema", node=Typed)
"""
OF_SCHEMA = {
    "typed.rate": ["2", "1e-3", "3,4.5"],
    "typed.count": ["7", "8,9"],
    "typed.colour": ["GREEN", "RED,GREEN"],
    "typed.items": ["[3]", "[1,2.5],[]"],
    "typed.inner": ["{size: 9}", "{text: '1'}"],
    "typed.inner.text": ["5", "'x y','true'", "null"],
    "typed.maybe": ["null", "4,null", "${typed.count}"],
    "typed.anything": ["'2'", "[a]", "${typed.inner}", "2.0"],
    "+typed.more": ["1"],
}
# As typed, for one value or for one of several.
VALUES = [
    *["0.5", "'0.5'", '"0.5"', "1", "'1'", "1.0", "1e-3", "-3", "1_000", ".5", "0x10", "1.2.3"],
    *["true", "False", "'true'", "null", "'null'", "''", "yes", "text", "a-b_c", "a/b.c", "a b"],
    *["'a, b'", r"'it\'s'", '"it\'s"', r"'a\\'", r"a\,b", r"a\=b", "'a=b'", "'{a}'", "'[1]'"],
    *["$x", "a@b", "a:b", "50%", "'né'", "'日本'", "'~'", "[]", "[1,2]", "['1',2.0,null,true]"],
    *["[a b,'c,d']", "[[1],[{a:1}]]", "{a:'1',b:[x]}", r"{a\ b:1}", "{1:x,true:y}", "'a\tb'"],
    *["'a\nb'", "${lr}", "'${lr}'", "pre-${name}", "'${oc.env:HOME}'", "${nested.b.c}", "[${lr}]"],
    *[r"'\${lr}'", "int(3.7)", "str(0.5)", "2020-01-01", "'# no comment'", "'- x'", "'a: b'"],
    *["'!tag'", "'&a'", "'*a'", "'%'", "'\"'", "'|'", "'1e3'", "'1_0'", "'0o7'", "'.inf'", "1e22"],
]
SCALARS: list[Any] = [
    *[0, 1, 2.5, 1e-5, "text", "two words", True, None, "1", "true", "", "é", [1, "2"], {"q": 1}],
]
REFERENCES = [
    *[
        "${lr}",
        "${name}-${lr}",
        "${nested.a}",
        "${nested}",
        "${oc.select:nope,3}",
        "${oc.env:HOME}",
    ],
    *["${oc.decode:'[1,2]'}", "${oc.env:HYDRA_APPS_UNSET,'a b'}", r"\${literal}", "${.sibling}"],
    *["${oc.dict.keys:nested}", "${layers.0}", "${oc.create:{x:1}}"],
]


# Of the sweeps that Hydra's grammar knows besides lists and choice().
SWEEPS = [
    *["lr=range(1,3)", "lr=range(0.5,2,0.5)", "lr=sort(3,1,2)", "lr=sort(3,1,reverse=true)"],
    *["lr=tag(a,b,choice(1,2))", "name=sort('b',a)", "name=choice('x y',z)", "sibling=[1],[2,3]"],
    *["nested={a:1,b:{c:3}}", "nested.b={c:4},{c:5,d:'6'}", "++nested.deeper.key='v, w'"],
    *["lr=int('7'),8", "name=str([1,a])", "empty={},[]", "which=a,b", "++a.b.c=${lr}"],
    *["layers=[${lr},{x:'${name}'}]", "name='${nested.${which}}'", "name=\"a'b\",'c\"d'"],
    *["lr=float(3),bool(true)", "~layers", r"name=\,", "lr=shuffle(1)"],
]


@dataclass(frozen=True)
class GeneratedApp:
    """An app in a folder of its own, and how it is called."""

    folder: Path
    program: str
    entry_point: str
    config_dir: str
    config_name: str
    overrides: list[str]
    registers: bool


def generate(folder: Path, seed: int) -> GeneratedApp:
    """Write an app into a folder, and make up overrides for it; they need not go together."""
    pick = random.Random(seed)  # noqa: S311 # the same apps each time
    place, config_dir = pick.choice(
        [("", "conf"), ("", "deep/conf"), ("src", "../conf"), ("src", "conf")]
    )
    name = pick.choice(["config", "main", "train_app"])
    version_base = pick.choice(["1.3", "1.2", None])
    arguments = pick.choice(
        [
            f"version_base={version_base!r}, config_path={config_dir!r}, config_name={name!r}",
            f"{config_dir!r}, {name!r}, {version_base!r}",
            f"config_name='{name}.yaml', config_path={config_dir!r}, version_base={version_base!r}",
        ]
    )
    configs = (folder / place / config_dir).resolve()
    registers = pick.random() < 0.4  # many
    text = APP.format(arguments=arguments, registrations=REGISTRATIONS if registers else "")
    _write(folder / place / "app_of_test.py", text)
    groups = {group: _options(pick) for group in pick.sample(["model", "db", "data"], 2)}
    groups |= {f"{group}/part": _options(pick) for group in list(groups)[:1]}
    for group, options in groups.items():
        for option, content in options.items():
            _write(configs / group / f"{option}.yaml", content)
    defaults = _defaults(pick, groups)
    if registers:
        defaults.insert(0, {"typed": "schema"})
    more = _more(pick, configs, defaults)
    is_needed = pick.random() < 0.3
    primary = _primary(pick, defaults, is_needed=is_needed)
    if registers:
        primary += "product: ${times:${typed.count},2}\n"
    _write(configs / f"{name}.yaml", primary)
    module = f"{place}.app_of_test" if place else "app_of_test"
    return GeneratedApp(
        folder,
        f"{place}/app_of_test.py" if place else "app_of_test.py",
        f"{module}:main",
        str(configs.relative_to(folder)),
        name,
        _overrides(
            pick, groups, [item for item in defaults if "typed" not in item], is_needed=is_needed
        )
        + _of_schema(pick, registers)
        + more,
        registers,
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _options(pick: random.Random) -> dict[str, str]:
    """Return the configs of a group, one of which may go to another package."""
    options = {}
    for option in ("one", "two", "three"):
        keys = pick.sample(["kind", "width", "sibling", "deep"], 3)
        content: dict[str, Any] = {key: pick.choice(SCALARS) for key in keys}
        content["kind"] = option
        if pick.random() < 0.5:  # a half
            content["sibling"] = 3
            content["ref"] = pick.choice(REFERENCES)
        header = pick.choice(["", "", "", "# @package _global_.other\n", "# @package _global_\n"])
        options[option] = header + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return options


def _defaults(pick: random.Random, groups: dict[str, Any]) -> list[Any]:
    defaults: list[Any] = []
    for group in groups:
        key = pick.choice([group, group, f"{group}@{pick.choice(['first', 'a.b'])}"])
        defaults.append({key: pick.choice(["one", "two"])})
    defaults.insert(pick.randrange(len(defaults) + 1), "_self_")
    return defaults


def _more(pick: random.Random, configs: Path, defaults: list[Any]) -> list[str]:
    """Add some of what defaults lists may have, and return overrides that go with it."""
    keys = [next(iter(item)) for item in defaults if isinstance(item, dict) and "typed" not in item]
    overrides = [pick.choice(SWEEPS)] if pick.random() < 0.4 else []  # many
    for add in pick.sample([_experiment, _optional, _several, _pair], pick.randrange(3)):
        overrides += add(pick, configs, defaults, keys[0])
    if pick.random() < 0.2:  # a few
        package = keys[0].partition("@")[0]
        overrides.append(pick.choice([f"{keys[-1]}=glob(t*)", f"+{package}@_global_.far=one"]))
    return overrides


def _experiment(pick: random.Random, configs: Path, defaults: list[Any], key: str) -> list[str]:
    """Add a group whose options override others, in the global package."""
    for name, option in (("first", "two"), ("second", "three")):
        header = f"# @package _global_\ndefaults:\n  - override /{key}: {option}\n"
        grid = "hydra: {sweeper: {params: {sibling: '5,6'}}}\n"
        body = pick.choice(["", grid, "name: '${lr}'\n"])
        _write(configs / "experiment" / f"{name}.yaml", f"{header}lr: 0.{len(name)}\n{body}")
    sign = pick.choice(["", "+"])
    if not sign:
        defaults.append({"experiment": pick.choice([None, "first"])})
    return [f"{sign}experiment={pick.choice(['first', 'second', 'first,second'])}"]


def _optional(pick: random.Random, configs: Path, defaults: list[Any], _key: str) -> list[str]:
    defaults.insert(0, {"optional local": "mine"})
    if pick.random() < 0.5:  # a half
        return []  # it is not there
    _write(configs / "local/mine.yaml", "host: box\nport: 1\n")
    return [pick.choice(["local.port=2,3", "~local", "+local.user='me, you'"])]


def _several(pick: random.Random, configs: Path, defaults: list[Any], _key: str) -> list[str]:
    """Add a group of which several options are chosen."""
    for name in ("a", "b", "c"):
        _write(configs / "hooks" / f"{name}.yaml", f"{name}: {{kind: {name}, every: '${{lr}}'}}\n")
    defaults.append({"hooks": ["a", "b"]})
    return [pick.choice(["hooks=[c]", "hooks=[a,c],[b]", "hooks=c", "hooks.a.every=3", "~hooks"])]


def _pair(_pick: random.Random, configs: Path, defaults: list[Any], key: str) -> list[str]:
    """Add a group whose option is made of that of another one."""
    if "@" not in key:
        for name in ("one", "two", "three"):
            _write(configs / "pair" / f"{name}_x.yaml", f"of: {name}\nlr: ${{lr}}\n")
        defaults.append({"pair": f"${{{key}}}_x"})
    return []


def _primary(pick: random.Random, defaults: list[Any], *, is_needed: bool) -> str:
    content: dict[str, Any] = {
        "lr": 0.1,
        "name": pick.choice(["net", "a b", "1"]),
        "layers": [1, pick.choice(SCALARS)],
        "nested": {"a": pick.choice(SCALARS), "b": {"c": 2}, "ref": pick.choice(REFERENCES[:2])},
        "sibling": 4,
        "ref": pick.choice(REFERENCES),
        "empty": None,
        "which": "a",
        "picked": pick.choice(
            ["${nested.${which}}", "${nested.${.which}}", "x ${nested.b.c} ${lr}"]
        ),
    }
    if is_needed:
        content["needed"] = "???"
    if pick.random() < 0.2:  # a few
        content |= {"results_dir": "mine", "experiment_id": "own"}
    if pick.random() < 0.3:  # some
        params = {"nested.b.c": "1,2", "+from_file": pick.choice(VALUES), "lr": 0.25}
        content["hydra"] = {"sweeper": {"params": params}}
    if pick.random() < 0.2:  # a few
        own = {"run": {"dir": "own/${lr}"}, "job": {"chdir": True, "name": "named"}}
        content["hydra"] = {**content.get("hydra", {}), **own}
    return yaml.safe_dump({"defaults": defaults, **content}, sort_keys=False, allow_unicode=True)


def _of_schema(pick: random.Random, registers: bool) -> list[str]:  # noqa: FBT001 # drawn before
    keys = pick.sample(list(OF_SCHEMA), 2) if registers else []
    return [f"{key}={pick.choice(OF_SCHEMA[key])}" for key in keys]


def _overrides(
    pick: random.Random, groups: dict[str, Any], defaults: list[Any], *, is_needed: bool
) -> list[str]:
    keys = [next(iter(item)) for item in defaults if item != "_self_"]
    keys = [key for key in keys if key.partition("@")[0] in groups]
    found = [f"needed={pick.choice(VALUES)}"] if is_needed else []
    for _ in range(pick.randrange(1, 6)):
        key = pick.choice(["lr", "name", "empty", "nested.a", "nested.b.c", "layers", "sibling"])
        kind = pick.randrange(9)
        value = pick.choice(VALUES)
        if kind in (0, 1):
            found.append(f"{key}={value}")
        elif kind in (2, 3):
            found.append(f"{key}={value},{pick.choice(VALUES)}")
        elif kind == 4:  # the next kind
            found.append(f"{pick.choice(['+', '++'])}new{pick.randrange(3)}={value}")
        elif kind == 5:
            found.append(pick.choice(["~empty", "~sibling", "~nested.b.c", f"~{keys[0]}"]))
        elif kind == 6:
            found.append(f"{pick.choice(keys)}={pick.choice(['one', 'two', 'three', 'one,three'])}")
        elif kind == 7:
            found.append(f"+{pick.choice(list(groups))}@extra={pick.choice(['one', 'two,three'])}")
        else:
            found.append(f"{key}=choice({value},{pick.choice(VALUES)})")
    found.append(
        pick.choice(["orch.workers=2", "+orch.retries=1", "experiment_id=e", "hydra.verbose=false"])
    )
    pick.shuffle(found)
    return found
