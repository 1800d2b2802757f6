from pathlib import Path

import pytest
from stress_resume import CASES, stress


@pytest.mark.parametrize("case", ["gru", "seq2seq"])
def test_killed_runs_end_as_if_left_alone(case: str, tmp_path: Path) -> None:
    hits, differing = stress(case, kills=2, seed=1, folder=tmp_path)
    assert not differing
    assert hits >= 1


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_runs_killed_many_times(case: str, tmp_path: Path) -> None:
    hits, differing = stress(case, kills=20, seed=2, folder=tmp_path)
    assert not differing
    assert hits >= 5
