"""Each paragraph of the guide about where exactness ends has tests, and these are named here."""

import re
from pathlib import Path
from typing import Any

import pytest
from run_files import MakeRun, Start, results_of
from user_modules import run_program

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "trainer.md").read_text()
TESTS = {
    "What is drawn for a batch": {
        "loading/test_seeded_batches.py": [
            "test_generators_of_a_data_set_are_seeded_for_each_batch",
            "test_collating_is_seeded_too",
        ],
        "test_random_data.py": ["test_number_of_workers_and_a_kill_change_nothing"],
    },
    "Samples that cannot be made again": {
        "loading/test_sample_checks.py": [
            "test_samples_that_cannot_be_made_again_are_refused",
            "test_samples_that_cannot_be_made_again_are_said_where_bits_do_not_count",
            "test_samples_that_can_be_made_again_are_fine",
        ],
        "test_random_data.py": [
            "test_samples_that_cannot_be_made_again_end_the_program_in_one_line"
        ],
    },
    "Looking at the samples leaves no trace": {
        "loading/test_sample_checks.py": ["test_data_set_is_left_as_it_was"],
        "test_random_data.py": [
            "test_data_set_that_counts_is_asked_for_what_is_trained_with_and_no_more"
        ],
    },
    "A sampler": {
        "loading/test_order.py": ["test_sampler_that_cannot_be_resumed_or_used_is_refused"]
    },
    "What a callback changes in the data": {
        "test_exactness.py": [
            "test_change_at_a_step_counts_at_once_or_from_the_next_iteration_on",
            "test_change_between_iterations_gives_the_same_bits_with_any_number_of_workers",
        ],
        "loading/test_in_place_changes.py": ["test_workers_live_on_where_callbacks_change_no_data"],
    },
    "Data that changed between two attempts": {
        "test_random_data.py": ["test_data_that_changed_are_told_and_the_run_goes_on"],
        "loading/test_sample_checks.py": ["test_description_tells_apart_what_is_different"],
    },
}


def test_each_paragraph_of_the_guide_is_tested() -> None:
    """If one is added, or a test is renamed, this test fails."""
    section = GUIDE.partition("## Where exactness ends: data\n")[2].partition("\n## ")[0]
    assert re.findall(r"^- \*\*(.+?)\*\*", section, re.MULTILINE) == [*TESTS]
    for files in TESTS.values():
        for file, names in files.items():
            content = (Path(__file__).parent / file).read_text()
            assert all(f"\ndef {name}(" in content for name in names), file


def digest_of(make_run: MakeRun, start: Start, workers: int, when: str, **changes: Any) -> str:
    """Train with a data set that is changed at an event, and return the digest."""
    run_dir = make_run(
        f"{when}-{workers}-{len(changes)}",
        iterations=3,
        data={"_target_": "changing_data.Changing", "when": when},
        dataloader={"num_workers": workers},
        **changes,
    )
    assert start(run_program, str(run_dir)) == 0, (run_dir / "err.log").read_text()
    digest: str = results_of(run_dir)["digest"]
    return digest


@pytest.mark.parametrize("when", ["iteration_begin", "iteration_end"])
@pytest.mark.parametrize("training_type", ["epoch", "step"])
def test_change_between_iterations_gives_the_same_bits_with_any_number_of_workers(
    make_run: MakeRun, start: Start, when: str, training_type: str
) -> None:
    """Workers are started again, also in the middle of a pass, and make what they made before."""
    digests = {
        digest_of(make_run, start, workers, when, training_type=training_type) for workers in (0, 2)
    }
    assert len(digests) == 1


def test_change_at_a_step_counts_at_once_or_from_the_next_iteration_on(
    make_run: MakeRun, start: Start
) -> None:
    """So it gives other bits with workers than without: those of a change at the end."""
    late = digest_of(make_run, start, 0, "iteration_end")
    assert digest_of(make_run, start, 2, "step_end") == late
    assert digest_of(make_run, start, 0, "step_end") != late
