"""What the tests of searches share: a config folder in which one is set."""

from pathlib import Path

import pytest

SEARCH = """\
results_dir: {results}
experiment_id: e
x: 0
kind: a
more: 1
double: ${{x}}
_filters: ['kind == "b" ! x < 0']
orch: {{command: ["true"], search: {{metric: loss, points: 8}}}}
"""


@pytest.fixture
def search_folder(tmp_path: Path) -> Path:
    """Return the config folder of a search."""
    (tmp_path / "config.yaml").write_text(SEARCH.format(results=tmp_path / "results"))
    return tmp_path
