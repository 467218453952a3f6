"""The JSON of the results is readable by every program, whatever the numbers are."""

import json
import math
from typing import Any

from orchestrator.planning.paired_difference import PairedDifference
from orchestrator.planning.results_json import results_as_json
from orchestrator.planning.results_table import compare
from orchestrator.planning.run_results import RunResults


def test_differences_to_the_best_are_told_if_asked_for() -> None:
    """Of the best row there is none, and NaN is a string."""
    compared = compare([RunResults({"lr": lr}, {"loss": float(lr)}) for lr in (1, 2)])
    told: Any = results_as_json(compared, [None, PairedDifference(math.nan, None, 0, 1)])
    differences = [
        row["to_the_best"] for row in json.loads(json.dumps(told, allow_nan=False))["rows"]
    ]
    assert differences == [None, {"mean": "NaN", "half_width": None, "pairs": 0, "common": 1}]
    asked_nothing: Any = results_as_json(compared)
    assert [row["to_the_best"] for row in asked_nothing["rows"]] == [None, None]
