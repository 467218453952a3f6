"""Tests of orchestrator.config.resolved_size: what would take minutes to resolve is refused before."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf
from thinning import alternate_in_soak

from orchestrator.config.resolved_size import ResolvedSize, check_resolved_size
from orchestrator.errors import ConfigError
from orchestrator.planning.load import ConfigSource, load_plan

PRIMARY = {"results_dir": "r", "experiment_id": "e", "x": 0}


def _chain(first: object, link: str, length: int = 16) -> dict[str, Any]:
    """Return keys each of which repeats the one before it; ``link`` has @ in place of its name."""
    links = {f"q{n}": yaml.safe_load(link.replace("@", f"q{n - 1}")) for n in range(1, length + 1)}
    return {"q0": first, **links}


CHAINS = {
    "text": _chain("aaaaaaaaaa", "'${@}${@}${@}${@}'"),
    "empty text": _chain("", "'${@}${@}'", 30),
    "lists": _chain(["a"], "['${@}', '${@}', '${@}', '${@}']"),
    "mappings": _chain({"a": 1}, "{a: '${@}', b: '${@}'}", 30),
    "mapping under a key": _chain({"a": {"b": 1}}, "{a: {b: '${@.a}', c: '${@.a}'}}", 30),
    "selected": _chain("a", "'${oc.select:@}${oc.select:@}'", 30),
    "values": _chain({"a": "b"}, "{a: '${oc.dict.values:@}', b: '${oc.dict.values:@}'}", 30),
    "decoded": _chain("a", "'${oc.decode:${@}}${oc.decode:${@}}'", 30),
    "created": _chain("a", '\'${oc.create:["${@}","${@}"]}\'', 30),
    "defaults of the environment": _chain(
        "a", "'${oc.env:NOT_SET,${@}}${oc.env:NOT_SET,${@}}'", 30
    ),
    "relative": _chain("a", "'${.@}${.@}'", 30),
    "key within a key": {**_chain("a", "'${@}${@}'", 30), "k": "q30", "z": "${${k}}"},
    "chosen key": {
        **_chain("a", "'${${k@}}${${k@}}'", 30),
        **{f"kq{n}": f"q{n}" for n in range(31)},
    },
    "text behind an escape": _chain("a", "'${oc.decode:\"''\\${@}\\${@}''\"}'", 30),
    "one long text": {"q0": "a" * 5_000, "z": "${q0}" * 500},
    "one long list": {"q0": list(range(5_000)), "z": ["${q0}"] * 100},
    "many references": {"q0": 1, "z": "${q0}" * 4_000},
}


@pytest.mark.parametrize("kind", CHAINS)
def test_config_that_multiplies_is_refused(kind: str) -> None:
    """Whatever it is made of: texts, lists, mappings, resolvers, keys that are themselves resolved."""
    with pytest.raises(ConfigError, match=r"would (take|resolve to) more than [\d,]+ ") as refusal:
        check_resolved_size(OmegaConf.create(CHAINS[kind]))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("kind", alternate_in_soak(CHAINS))
def test_config_that_multiplies_is_refused_wherever_it_stands(tmp_path: Path, kind: str) -> None:
    """In a file, with an axis beside it, and where an override passes through it."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**PRIMARY, **CHAINS[kind]}))
    last = next(reversed(CHAINS[kind]))
    for overrides in ([], ["x=1,2"], [f"+{last}=1"], [f"~{last}=1"], [f"{last}.a.b=1"]):
        with pytest.raises(ConfigError):
            load_plan(ConfigSource(tmp_path, "config", overrides))


@pytest.mark.parametrize(
    "overrides",
    [
        ["+q0=aaaaaaaaaa", *(f"+q{n}=" + f"${{q{n - 1}}}" * 4 for n in range(1, 17))],
        ["+q0=a," + "b" * 9_000, *(f"+q{n}=" + f"${{q{n - 1}}}" * 4 for n in range(1, 6))],
        ["+q0=a,'b c'", *(f"+q{n}=" + f"${{q{n - 1}}}" * 4 for n in range(1, 9))],
        ["+a=range(400)", "+b=range(450)", "+c=" + "x" * 9_000, "+z='${a}-${b}-${c}'"],
        ["+a=range(40)", "+b=range(50)", "+z='" + "${a}${b}" * 300 + "'"],
    ],
)
def test_chain_on_the_command_line_is_refused(tmp_path: Path, overrides: Sequence[str]) -> None:
    """The longest value of an axis counts, and the number of combinations."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(PRIMARY))
    with pytest.raises(ConfigError, match=r"Refer to fewer|combinations would have to be resolved"):
        load_plan(ConfigSource(tmp_path, "config", overrides))


def test_override_of_thousands_of_interpolations_is_refused(tmp_path: Path) -> None:
    """Reading it alone would take a second."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(PRIMARY))
    with pytest.raises(ConfigError, match="has 1,500 interpolations, the maximum is 1,000"):
        load_plan(ConfigSource(tmp_path, "config", ["+z=" + "${x}" * 1_500]))


@pytest.mark.parametrize(
    "config",
    [
        {"a": "${b}", "b": "${c}", "c": 1, "d": ["${a}"] * 500},
        {"long": ["x" * 900_000] * 3, "a": "${b}", "b": 1},
        {"text": "x" * 900_000, "again": "${text}"},
        {
            "a": "${nowhere}",
            "b": "${a.b.c}",
            "c": "${oc.env:NOWHERE}",
            "d": "${.x[0]}",
            "e": "${l.9}",
        },
        {"a": "${a}", "b": {"c": "${b}"}, "d": "${e}${e}", "e": "${d}${d}"},
        {"a": "???", "b": "${a}", "c": None, "d": "${c}", "e": "${c.x}", "l": []},
        {"a": "${nobody.knows:${b},1}", "b": 2, "c": r"\${b}", "d": "${oc.select:${b}}"},
        _chain("a", "'${@}${@}${@}${@}'", 5),
    ],
)
def test_config_of_reasonable_size_passes(config: Any) -> None:
    """Broken references and circles as well: resolving reports them."""
    check_resolved_size(OmegaConf.create(config))


def _nest(before: str, core: str, after: str, depth: int = 45) -> str:
    return f"{before * depth}{core}{after * depth}"


@pytest.mark.parametrize(
    "text",
    [
        _nest("${n.", "y", "}"),
        _nest("${oc.select:no,", "${n.y}", "}"),
        _nest("${oc.env:NOWHERE,", "${n.y}", "}"),
        _nest("${n.${oc.select:n.", "y", "}}", 12),
        _nest("${nobody.knows:", "${n.y}", "}"),
    ],
)
def test_interpolation_within_others_is_measured_once(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Each level measures what is within it and then resolves it, which must not measure it again."""
    measured = []
    for name in ("_of_reference", "_of_resolver"):
        measure = getattr(ResolvedSize, name)

        def note(self: Any, *args: Any, measure: Any = measure) -> Any:
            measured.append(args)
            return measure(self, *args)

        monkeypatch.setattr(ResolvedSize, name, note)
    check_resolved_size(OmegaConf.create({"n": {"y": "y"}, "x": text}))
    assert len(measured) <= 2 * text.count("${")


@pytest.mark.parametrize(
    "config",
    [
        {"x": _nest("${oc.select:n.", "y", "}")},
        {
            "a": _nest("${oc.select:n.", "y", "}", 20),
            **{f"a{n}": "${n.${a}}" * 10 for n in range(20)},
        },
    ],
)
def test_all_that_has_to_be_resolved_to_know_the_size_is_limited_together(
    config: dict[str, str],
) -> None:
    """Each part of it may be small."""
    with pytest.raises(ConfigError, match="would take more than 1,000 interpolations"):
        check_resolved_size(OmegaConf.create({"n": {"y": "y"}, **config}))
