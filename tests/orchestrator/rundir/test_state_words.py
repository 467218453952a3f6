"""Each state has a word for people, and a run that has paused has its own."""

import pytest

from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import State
from orchestrator.rundir.state_words import WORDS, word_of


@pytest.mark.parametrize("state", State)
def test_state_is_its_own_word(state: State) -> None:
    """Scripts know it as well."""
    assert word_of(RunResults({}, None, state=state)) == state.value
    assert state.value in WORDS


def test_run_that_has_paused_is_called_so() -> None:
    """It stands behind the others that are stale."""
    assert word_of(RunResults({}, None, state=State.STALE, is_paused=True)) == "paused"
    assert WORDS[WORDS.index("stale") + 1] == "paused"
