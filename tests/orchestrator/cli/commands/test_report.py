"""``orch report`` says what the raw files of runs say, and nothing in them has a meaning for a browser."""

import html
import json
import math
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from thinning import others_in_soak

from orchestrator.cli.main import call
from orchestrator.errors import UsageError
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Failure, Record, Status

from .conftest import Grid, leave, write_log
from .generated import VALUES, Generated, generate, in_grid, read_override, read_runs
from .pages import Page

# Soak tests take all of them.
EXPERIMENTS = others_in_soak(range(300), range(4))
HOSTILE = "</code></pre><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\x1b[31m\u202e"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Generated]]:
    """Return a function that generates an experiment once; it need not survive a power cut."""
    folder = tmp_path_factory.mktemp("generated")
    with ExitStack() as locks, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield cache(lambda number: generate(folder / str(number), number, locks))


def write(grid: Grid, *words: str) -> Page:
    out = grid.folder / "page.html"
    assert grid.orch("report", "--out", str(out), *words) == 0
    return Page(out.read_text())


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_page_says_what_pandas_reads(
    experiment: Callable[[int], Generated], number: int, tmp_path: Path
) -> None:
    """States, means over the finished runs of the grid, each single run, and the failures."""
    made = experiment(number)
    out = tmp_path / "page.html"
    runs = in_grid(read_runs(made))
    started = (runs["state"] != "pending").any()
    if not started:
        with pytest.raises(UsageError, match="has started"):
            call(made.arguments("report", *made.grid, "--out", str(out)))
        return
    assert call(made.arguments("report", *made.grid, "--out", str(out))) == 0
    page = Page(out.read_text())
    done = runs[runs["state"] == "done"]
    over = "one row per run" if "," not in made.grid[2] else "standard deviation over seed"
    results = page.table(over)
    texts = {json.dumps(read_override(word)): told for word, told in VALUES.items()}
    keys = list(
        zip(
            *(
                results.column(key) if key == "extra" else results.column_of_numbers(key)
                for key in made.keys
            ),
            strict=True,
        )
    )
    done = done.replace({"extra": texts})
    by_row = [*made.keys.values()]
    for header, column in (("best/validation/loss", "best"), ("test/accuracy", "test")):
        expected = done.groupby(by_row)[column].mean().dropna()
        if expected.empty:
            assert header not in results.headers
            continue
        shown = dict(zip(keys, results.column_of_numbers(header), strict=True))
        found = {key: value for key, value in shown.items() if value is not None}
        assert set(found) == set(expected.index)
        assert np.allclose([found[key] for key in expected.index], expected, rtol=1e-12, atol=0)
    if "runs" in results.headers:
        counts = results.column_of_numbers("runs")
    else:  # each row is one run
        counts = [float(state == "done") for state in results.column("state")]
    counted = dict(zip(keys, counts, strict=True))
    finished = done.groupby(by_row).size()
    assert {key: count for key, count in counted.items() if count} == finished.to_dict()
    single = page.table("in the order of the results")
    states = Counter(single.column("state"))
    known = Counter(runs["state"])
    assert {state: count for state, count in states.items() if state != "pending"} == {
        state: count for state, count in known.items() if state != "pending"
    }
    for run_id, state in zip(single.column("run"), single.column("state"), strict=True):
        known_states = list(runs[runs["run_id"].str.startswith(run_id)]["state"])
        assert known_states == [state] or (known_states, state) == ([], "pending")
    failed = int((runs["state"] == "failed").sum())
    assert page.headings == (["oom: out of <memory>"] if failed else [])


@pytest.fixture
def hostile(grid: Grid) -> Grid:
    """Return the grid with a run whose every string is an attack, and one that failed with one."""
    done = grid.make(0.1, 0)
    leave(done, **{f"test/{HOSTILE}": 1.0})
    points = [{"key": HOSTILE, "value": 1, "step": step} for step in (1, 2)]
    done.metrics.write_text("".join(f"{json.dumps(point)}\n" for point in points))
    failed = grid.make(0.1, 1, record=Record.FAILED)
    failure = Failure(HOSTILE, HOSTILE)
    failed.write_status(
        Status(Record.FAILED, 1, now(), HOSTILE, 1, ended_at=now(), failure=failure)
    )
    write_log(failed, f"begin\n{HOSTILE}\n".encode(errors="replace") + b"\xff\xfe\n")
    return grid


def test_nothing_in_a_page_is_executed(hostile: Grid) -> None:
    """One script, our own; no element or attribute comes from data, and nothing is loaded."""
    page = write(hostile, "--sort", f"test/{HOSTILE}".replace("\x1b", "?").replace("\u202e", "?"))
    assert page.tags.count("script") == 1
    assert not {"img", "iframe", "object", "link", "base", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    links = [value for name, value in page.attributes if name.endswith(("href", "src"))]
    assert all(link.startswith("#") for link in links), links
    assert "<script>alert(1)</script>" in page.text
    assert (
        "content",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    ) in (page.attributes)


def test_page_has_no_control_characters(hostile: Grid) -> None:
    """Nor those that reverse what is read."""
    write(hostile)
    content = (hostile.folder / "page.html").read_text()
    assert all(character.isprintable() or character in "\n\t" for character in content)


def test_failure_is_shown_with_the_end_of_its_log(grid: Grid) -> None:
    """The last lines only; of a line that a progress bar has overwritten, what was left."""
    grid.make(0.1, 0)
    failed = grid.make(0.1, 1, record=Record.FAILED)
    lines = [*(f"line {n}" for n in range(100)), "10%\r50%\rloss is NaN", ""]
    write_log(failed, "\n".join(lines).encode())
    page = write(grid)
    assert page.headings == ["error: it was not to be"]
    assert "line 99\nloss is NaN" in page.text
    assert "line 80" not in page.text
    assert "50%" not in page.text


def test_many_runs_that_fail_alike_are_one_failure(grid: Grid) -> None:
    for lr in (0.1, 0.2):
        for seed in (0, 1):
            grid.make(lr, seed, record=Record.FAILED)
    page = write(grid)
    assert page.headings == ["error: it was not to be"]
    assert "4 runs:" in page.text


def test_credentials_are_concealed(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """In logs and messages: of the config, of the environment, and by the name beside them."""
    monkeypatch.setenv("HF_TOKEN", "secretofenvironment")
    monkeypatch.setenv("PWD", "/home/of/the/project")
    config = grid.folder / "conf/config.yaml"
    config.write_text(f"{config.read_text()}db: {{password: secretofconfig}}\n")
    failed = grid.make(0.1, 0, record=Record.FAILED)
    said = "in /home/of/the/project login secretofenvironment secretofconfig api_key=sk-Zq81mXw9LkPd72 at http://me:pw9@host/"
    failure = Failure("error", said)
    status = Status(Record.FAILED, 1, now(), "box", 1, ended_at=now(), failure=failure)
    failed.write_status(status)
    write_log(failed, f"{said}\n".encode())
    write(grid)
    content = (grid.folder / "page.html").read_text()
    for secret in ("secretofenvironment", "secretofconfig", "sk-Zq81mXw9LkPd72", "me:pw9"):
        assert secret not in content
    assert "in /home/of/the/project login" in content  # the shell's PWD is not a password
    assert content.count("***") >= 2


def test_command_without_a_credential_says_that_it_lacks_one(grid: Grid) -> None:
    """It was verified with the value that config.yaml has, and is that of another run without it."""
    grid.make(0.1, 0)
    page = write(grid, "lr=0.1", "seed=0", "orch.command=[train,--password,hunter2]")
    assert "hunter2" not in page.text
    assert "(put in the value that is *** here)" in page.text


def test_same_runs_give_the_same_page(grid: Grid) -> None:
    """It says as of when it is by the runs, not by the clock."""
    leave(grid.make(0.1, 0), **{"test/loss": 1.0})
    write(grid)
    first = (grid.folder / "page.html").read_bytes()
    write(grid)
    assert (grid.folder / "page.html").read_bytes() == first


def test_grid_is_described(grid: Grid) -> None:
    """Its axes, its filters with what they excluded, and how to repeat it."""
    leave(grid.make(0.1, 0), **{"test/loss": 1.0})
    page = write(grid, "lr=0.1,0.2", "seed=0,1", '+_filters=["lr > 0.1 ! seed == 1"]')
    assert page.table("the grid: 4 points, 1 excluded by filters, 3 runs").rows == [
        ["lr", "0.1, 0.2"],
        ["seed", "0, 1"],
    ]
    assert page.tables[1].rows == [["lr > 0.1 ! seed == 1", "1"]]
    assert "orch run" in page.text
    assert "lr=0.1,0.2" in page.text


def test_page_without_curves_says_so(grid: Grid) -> None:
    leave(grid.make(0.1, 0), **{"test/loss": 1.0})
    page = write(grid)
    assert "svg" not in page.tags
    assert "has a curve" in page.text


def test_numbers_of_single_runs_are_those_of_the_terminal(
    grid: Grid, output: Callable[[], str]
) -> None:
    """With the same digits and words, in columns of numbers; they are sorted by all digits."""
    for seed, loss in enumerate((1.23456789, math.nan, -math.inf, 1.23456788)):
        leave(grid.make(0.1, seed), **{"test/loss": loss})
    single = write(grid, "--runs", "--sort", "test/loss").table("in the order of the results")
    rows = write(grid, "--runs", "--sort", "test/loss").table("one row per run")
    output()
    grid.orch("results", "--runs", "--all", "--sort", "test/loss")
    shown = [line.split()[-1] for line in output().splitlines()[1:5]]
    assert shown == single.column("test/loss") == rows.column("test/loss")
    assert sorted(shown) == ["-Infinity", "1.235", "1.235", "NaN"]
    told = single.column_of_numbers("test/loss")
    assert {*told} == {*rows.column_of_numbers("test/loss")} == {1.23456789, 1.23456788, None}
    page = (grid.folder / "page.html").read_text()
    assert page.count('class="number">test/<wbr>loss') == 2


@pytest.mark.parametrize("key", ["best/validation/loss", "validation/loss"])
def test_page_says_which_iterations_the_metrics_are_of(grid: Grid, key: str) -> None:
    """As the terminal does, where they are of several."""
    leave(grid.make(0.1, 0), **{key: 1.0, "test/loss": 1.0})
    are_mixed = key.startswith("best/")
    assert ("test/... are of the best iteration" in write(grid).text) == are_mixed


def test_curve_that_diverges_is_told(grid: Grid) -> None:
    """It leaves its panel, so that the others can be seen."""
    for lr, values in ((0.1, [2.0, 1.0]), (0.2, [2.0, 1e9])):
        directory = grid.make(lr, 0, record=Record.DONE if lr == 0.1 else Record.INTERRUPTED)
        points = [
            {"key": "loss", "value": value, "step": step, "timestamp": step}
            for step, value in enumerate(values, 1)
        ]
        directory.metrics.write_text("".join(f"{json.dumps(point)}\n" for point in points))
    assert "loss: 1 curve leaves the panel" in write(grid).text


def test_short_times_have_decimals(grid: Grid) -> None:
    """Half a second is not 0 s; what is not counted is told."""
    directory = grid.make(0.1, 0)
    begun, ended = "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.460000Z"
    directory.write_status(Status(Record.DONE, 1, begun, "box", 1, ended_at=ended))
    page = write(grid)
    assert "0.5 s in all, 0.5 s per run; not counting earlier attempts" in page.text
    assert "began with" not in page.text
    assert page.table("1 run, in the order of the results").rows[0][-2] == "0.5 s"
    (directory.path / "extended.json").write_text('{"run_id": "0123456789abcdef", "iteration": 3}')
    assert "; 1 run began with iterations of another, not counted here" in write(grid).text


def test_curves_follow_the_colours_of_the_page(hostile: Grid) -> None:
    page = write(hostile)
    styles = " ".join(value for name, value in page.attributes if name == "style")
    assert "var(--c0)" in styles
    assert "var(--ink)" in styles
    assert "#0072b2" not in styles
    assert any(
        name == "aria-label" and "learning curves" in value for name, value in page.attributes
    )


def test_json_says_what_was_written(grid: Grid, output: Callable[[], str]) -> None:
    leave(grid.make(0.1, 0), **{"test/loss": 1.0})
    grid.make(0.1, 1, record=Record.FAILED)
    out = grid.folder / "page.html"
    grid.orch("report", "--out", str(out), "--json")
    told = json.loads(output())
    assert told == {
        "schema": 1,
        "out": str(out),
        "bytes": out.stat().st_size,
        "runs": 2,
        "rows": 1,
        "states": {"failed": 1, "done": 1},
    }


def test_other_ending_and_missing_extra_are_told_in_one_line(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"Let it end in \.html"):
        grid.orch("report", "--out", "page.pdf")
    monkeypatch.setattr("orchestrator.extras.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'orch\[plots\]'"):
        grid.orch("report", "--out", str(grid.folder / "page.html"))


@pytest.mark.parametrize(
    "words",
    [["--all"], ["--over", "seed", "--where", "lr > 0.05"], ["--runs"], ["--sort", "test/loss"]],
)
def test_page_names_the_command_that_prints_its_table(grid: Grid, words: list[str]) -> None:
    """With the options that choose and group the runs, which repeat the table when they are pasted."""
    for seed in (0, 1):
        leave(grid.make(0.1, seed), **{"test/loss": 0.5})
    page = grid.folder / "page.html"
    grid.orch("report", "--out", str(page), *words)
    command = shlex.join(["orch", "results", *words, f"--config-dir={grid.folder}/conf"])
    assert command in html.unescape(page.read_text())
