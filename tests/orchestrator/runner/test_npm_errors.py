"""What npm prints about a script that has failed is told from its own errors."""

import pytest

from orchestrator.runner.npm_errors import without_npm


@pytest.mark.parametrize(
    ("of_npm", "kept"),
    [
        (["npm ERR! code ELIFECYCLE", "npm ERR! errno 1", "npm ERR! Exit status 1", "npm ERR!"], []),
        (["npm error Lifecycle script `train` failed with error:", "npm error code 1"], []),
        (["npm error code 1", "npm error command failed", "npm error command sh -c node t.js"], []),
        (['npm error Missing script: "trian"', "npm error", "npm error To see a list"], ['Missing script: "trian"']),
        (["npm ERR! code ENOENT", "npm ERR! path /p", "npm ERR! enoent no such file, open 'p'"], ["enoent no such file, open 'p'"]),
    ],
)  # fmt: skip
def test_script_tells_its_error_itself(of_npm: list[str], kept: list[str]) -> None:
    assert without_npm(["lost shard 4", *of_npm]) == ["lost shard 4", *kept]


def test_output_without_more_is_kept() -> None:
    assert without_npm(["npm ERR! code ELIFECYCLE"]) == ["npm ERR! code ELIFECYCLE"]
    assert without_npm(["npm error x", "epoch 3"]) == ["npm error x", "epoch 3"]
    assert without_npm([]) == []
