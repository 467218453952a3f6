"""Whatever is typed as a filter, as a condition or as an override gets an answer, and soon."""

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConfigError, OrchestratorError
from orchestrator.grid.filter_parser import parse_filter
from orchestrator.planning.load import ConfigSource, Planned, load_plan

MOST_SECONDS = 1.0
SECONDS_OF_A_POINT = 50e-6  # composing and hashing it
PIECES = [
    *[
        "x",
        "n.y",
        "lr",
        "a-",
        "a.",
        "a@",
        "a/",
        "é",
        "1",
        "0x",
        "1e",
        "1_",
        "_",
        "-",
        "+",
        "~",
        "$",
    ],
    *[
        "'",
        '"',
        "\\",
        "\\\\'",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "${",
        "${x}",
        "\\${",
        ",",
        ":",
        "=",
        "==",
        "!=",
    ],
    *[
        "<",
        ">=",
        " in ",
        "!",
        " ! ",
        "&",
        "|",
        " ",
        "\n",
        "\t",
        "\0",
        "#",
        "%",
        "*",
        "?",
        "choice(",
        "range(",
    ],
    *[
        "true",
        "null",
        "inf",
        "nan",
        "yes",
        "???",
        "=1",
        "x=1,2",
        "x == 1",
        "\ud800",
        "\x1b[0m",
        "😀",
    ],
]
SHORT = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
REPEATED = st.builds(
    lambda before, piece, count, after: before + piece * (count // max(len(piece), 1)) + after,
    st.sampled_from(["", "x=", "x=[", "x == ", "+k=", "x='", "x in ["]),
    SHORT,
    st.sampled_from([10, 100, 2_000, 9_000, 100_000]),
    st.sampled_from(["", "]", "'", " ! x == 1", "$"]),
)

# One kind of text of any length: of lists, sweeps, brackets, references, and what looks like more.
KINDS = [
    lambda n: "x=" + ",".join(map(str, range(n // 5))),
    lambda n: "x=" + ",".join(f"w{i}" for i in range(n // 6)),
    lambda n: "x=" + ",".join(f"'w{i}'" for i in range(n // 8)),
    lambda n: "x=[" + ",".join(f"w{i}" for i in range(n // 6)) + "]",
    lambda n: "x={" + ",".join(f"w{i}:{i}" for i in range(n // 10)) + "}",
    lambda n: "x=choice(" + ",".join(f"w{i}" for i in range(n // 6)) + ")",
    lambda n: "x=sort(" + ",".join(str(-i) for i in range(n // 6)) + ")",
    lambda n: "x=glob([" + ",".join("*a*b*" for _ in range(n // 6)) + "])",
    lambda n: "x=tag(" + ",".join(f"t{i}" for i in range(n // 6)) + ",choice(1,2))",
    lambda n: "x=" + "sort(" * min(n, 45) + "1,2" + ")" * min(n, 45),
    lambda n: "x=" + "str(" * n + "1" + ")" * n,
    lambda n: f"x=range({n // 10})",
    lambda n: f"x=range(0,1e{n % 300})",
    lambda n: f"x=shuffle(range({n // 10}))",
    lambda n: "x='" + "${lr}" * (n // 5) + "'",
    lambda n: "x='" + "\\${lr}" * (n // 6) + "'",
    lambda n: "x=[" + "a${b" * (n // 4) + "]",
    lambda n: "x='" + "${oc.env:HOME}" * (n // 14) + "'",
    lambda n: "x='" + "${n." * min(n, 45) + "y" + "}" * min(n, 45) + "'",
    lambda n: "x='" + "${oc.select:n." * min(n, 45) + "y" + "}" * min(n, 45) + "'",
    lambda n: "x='" + "${oc.env:NO,${n." * min(n, 22) + "y" + "}}" * min(n, 22) + "'",
    lambda n: "x='" + "${n.${n.y}}" * (n // 11) + "'",
    lambda n: "x='${oc.create:[" + ",".join(map(str, range(n // 5))) + "]}'",
    lambda n: "x=\"${oc.decode:'[" + ",".join(map(str, range(n // 5))) + "]'}\"",
    lambda n: "x=" + ",".join("${lr}" for _ in range(n // 6)),
    lambda n: "+" + "a." * (n // 2) + "b=1",
    lambda n: "+" + "a." * min(n, 400) + "b=1",
    lambda n: "x@" + "a." * (n // 2) + "b=1",
    lambda n: "x=" + "é" * n,
    lambda n: "x='" + "e\u0301\u202e😀" * (n // 4) + "'",
    lambda n: "x='http://" + "u:p@h " * (n // 6) + "'",
    lambda n: "x='" + "password=a&" * (n // 11) + "'",
    lambda n: "x=eyJ" + "a" * (n // 2) + "." + "b" * (n // 2),
    lambda n: "x='-----BEGIN RSA PRIVATE KEY-----" + "A" * n + "'",
    lambda n: "x='" + "the model failed: " * (n // 18) + "'",
    lambda n: "orch.command=['" + "{x}" * (n // 3) + "']",
    lambda n: "orch.command=['" + "{" * n + "x?']",
    lambda n: "orch.metrics_from_output={a:'" + "(a+)+" * (n // 5) + "'}",
    lambda n: "orch.identity.exclude=[" + ",".join(f"k{i}" for i in range(n // 6)) + "]",
    lambda n: "orch.grids=[" + ",".join("{x: '1,2'}" for _ in range(n // 11)) + "]",
    lambda n: "orch.zip=[" + ",".join("[x,lr]" for _ in range(n // 7)) + "]",
    lambda n: "orch.when={" + ",".join(f"k{i}: 'x == 1'" for i in range(n // 14)) + "}",
    lambda n: "orch.preload=[" + ",".join(f"k{i}" for i in range(n // 6)) + "]",
    lambda n: "hydra.run.dir='" + "${oc.env:HOME}" * (n // 14) + "'",
    lambda n: "_filters=[" + ",".join("'x == 1 ! x == 2'" for _ in range(n // 19)) + "]",
    lambda n: "_filters=[" + ",".join("'x == ${lr} ! x == 2'" for _ in range(n // 23)) + "]",
    lambda n: "hydra.sweeper.params={" + ",".join(f"k{i}:1" for i in range(n // 8)) + "}",
    lambda n: "hydra.searchpath=[" + ",".join(f"file:///x{i}" for i in range(n // 12)) + "]",
    lambda n: "results_dir=" + "a/" * (n // 2),
    lambda n: " & ".join("x == 1" for _ in range(n // 9)) + " ! x == 1",
    lambda n: "x in [" + ",".join(map(str, range(n // 5))) + "] ! x == 1",
    lambda n: "x in " + "[" * n + "]" * n,
    lambda n: "x == '" + "a" * n + "'",
    lambda n: "x " + "<" * n + " 1",
]
LONG = st.builds(
    lambda make, length: make(length)[:100_000],
    st.sampled_from(KINDS),
    st.sampled_from([10, 100, 1_000, 5_000, 9_900, 50_000, 100_000]),
)


LINKS = [
    *["${@}${@}", "${@}${@}${@}${@}", "[${@},${@}]", "{a:${@},b:${@}}", "[{a:${@}},[${@}]]"],
    *["'${oc.select:@}${@}'", "'${oc.decode:${@}}${@}'", "'${oc.create:[${@}]}'"],
    *["${.@}-${.@}", "'a ${@} ${@}'", "[${@},x]", "${@.a}${@[0]}"],
]
# Overrides of which each refers to the one before it.
CHAINED = st.builds(
    lambda first, links, last: [
        f"+q0={first}",
        *(f"+q{n}={link.replace('@', f'q{n - 1}')}" for n, link in enumerate(links, 1)),
        *([last.replace("@", f"q{len(links)}")] if last else []),
    ],
    st.sampled_from(["a", "''", "[a,b]", "{a:1}", "a,b", "a" * 5_000, "[" + "1," * 2_000 + "]"]),
    st.lists(st.sampled_from(LINKS), min_size=1, max_size=12)
    | st.builds(lambda link, length: [link] * length, st.sampled_from(LINKS), st.integers(1, 30)),
    st.sampled_from(
        [
            *[
                "",
                "_filters=['x == \"${@}\" ! x == 1']",
                "experiment_id=e${@}",
                "orch.command=['${@}']",
            ],
            *["+@=1", "~@", "@.a.b=1", "+z=${@}", "x=${@},${@}", "hydra.sweeper.params={x:'${@}'}"],
        ]
    ),
)


def _many(examples: int) -> Any:
    return settings(
        max_examples=examples,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a config folder."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "config.yaml").write_text(
        "results_dir: r\nexperiment_id: e\nx: 1\nlr: 0.1\nn: {y: 2}\n"
    )
    return folder


def _answer(conf: Path, text: str, most: float = math.inf) -> None:
    """Have a text read in all three places, each in a limited time; only refusals may be raised."""
    for read in (
        lambda: load_plan(ConfigSource(conf, "config", [text])),
        lambda: load_plan(ConfigSource(conf, "config"), only=text),
        lambda: parse_filter(text),
    ):
        _answer_in_time(read, most)


def _answer_chain(conf: Path, overrides: list[str], most: float = math.inf) -> None:
    _answer_in_time(
        lambda: load_plan(ConfigSource(conf, "config", overrides), only='x == "a"'), most
    )


def _answer_in_time(read: Callable[[], object], most: float) -> None:
    """Limit the time of the processor, and that of each point besides, of the fastest of three times.

    On a machine on which others are at work, the same work may take three times as long.
    """
    taken = []
    for _ in range(3):
        before, points = time.process_time(), 1
        with contextlib.suppress(OrchestratorError):
            found = read()
            points = found.plan.selection.points if isinstance(found, Planned) else 1
        taken.append(time.process_time() - before - points * SECONDS_OF_A_POINT)
        if taken[-1] < most:
            break
    assert min(taken) < most


@given(text=SHORT | REPEATED | LONG)
@_many(60)
def test_any_text_is_answered(conf: Path, text: str) -> None:
    """By a plan or by a refusal, never by a traceback."""
    _answer(conf, text)


@given(overrides=CHAINED)
@_many(30)
def test_any_chain_of_references_is_answered(conf: Path, overrides: list[str]) -> None:
    """Of texts, lists and mappings, with axes in them: what multiplies is not resolved."""
    _answer_chain(conf, overrides)


@pytest.mark.soak
@given(overrides=CHAINED)
@_many(2_000)
def test_thousands_of_chains_of_references_are_answered(conf: Path, overrides: list[str]) -> None:
    """The same, 2,000 times, each within a second of the processor's time."""
    _answer_chain(conf, overrides, MOST_SECONDS)


@pytest.mark.soak
@given(text=SHORT | REPEATED | LONG)
@_many(2_000)
def test_thousands_of_texts_are_answered(conf: Path, text: str) -> None:
    """The same, 2,000 times, each within a second of the processor's time in each place."""
    _answer(conf, text, MOST_SECONDS)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("x=[" + "1," * 3_000 + "]", "'x=' has 3,000 commas, the maximum is 2,500"),
        (
            "x='${oc.create:[" + "1," * 2_000 + "]}'",
            "'x=' has 2,000 commas, the maximum is 1,250",
        ),
        (
            "hydra.searchpath=[" + ",".join(f"file:///x{i}" for i in range(416)) + "]",
            "'hydra.searchpath=' has 415 commas, the maximum is 250",
        ),
        (
            "orch.grids=[" + ",".join("{x: '1,2'}" for _ in range(900)) + "]",
            "'orch.grids=' has 900 mappings, the maximum is 50",
        ),
        ("x='" + "a b" * 5_000 + "'", "'x=' has 15,004 characters, the maximum is 10,000"),
        ("x=" + "1," * 60_000, "'x=' has 120,002 characters, the maximum is 50,000"),
        ("x=" + "1," * 20_000, "'x=' has 20,000 commas, the maximum is 10,000"),
        ("x=" + "[" * 60 + "]" * 60, "'x=' is nested too deeply"),
        ("x=" + "${" * 60 + "}" * 60, "'x=' is nested too deeply"),
        ("x=['${y}'" + "${" * 60 + "]", "'x=' has 60 interpolations without an end"),
    ],
)
def test_override_that_takes_minutes_to_read_is_refused(
    conf: Path, override: str, message: str
) -> None:
    """Hydra's parser is slow; nobody types this by hand."""
    with pytest.raises(ConfigError) as refusal:
        load_plan(ConfigSource(conf, "config", [override]))
    assert message in str(refusal.value)


def test_key_without_an_end_is_read_in_no_time() -> None:
    """Each letter used to double the time; with forty of them nobody would see the end."""
    for text in ("a" * 40 + "$ == 1 ! x == 1", "x == " + "a-" * 400 + "$ ! x == 1"):
        with pytest.raises(OrchestratorError, match="is not a key"):
            parse_filter(text)


def test_long_sweep_of_plain_values_is_read(conf: Path) -> None:
    """Thousands of values with commas between them are quick."""
    values = ",".join(map(str, range(5_000)))
    assert len(load_plan(ConfigSource(conf, "config", [f"x={values}"])).plan.decisions) == 5_000
