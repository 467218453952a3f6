"""The results of a run that is done."""

from run_files import MakeRun, Train, results_of


def test_results_hold_what_a_comparison_needs(make_run: MakeRun, train: Train) -> None:
    """Test results, the best iteration, the last metrics, the digest and the environment."""
    run_dir = make_run()
    returned = train(run_dir)
    results = results_of(run_dir)
    assert results["schema"] == 1
    assert results["test"] == returned
    assert [*results["best"]] == ["iteration", "validation/accuracy"]
    assert results["final"]["lr"] == 0.1
    assert (results["iterations"], len(results["digest"])) == (4, 64)
    assert results["environment"]["threads"] == 1
    assert {"python", "torch", "device", "deterministic_algorithms"} < {*results["environment"]}
    assert results["environment_changes"] == []
