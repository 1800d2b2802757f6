import os
import subprocess
import sys

import pytest

from seqlab.runs import ranks
from seqlab.runs.ranks import RUN, STARTER, of_all_processes, one_fate, own_sums, rank_and_world, shared_run


def test_a_process_alone() -> None:
    assert of_all_processes("own") == ["own"]
    assert rank_and_world() == (0, 1)


@pytest.mark.parametrize(("local_rank", "run"), [(None, None), ("0", None), ("1", "gru")])
def test_a_started_process_knows_the_run_of_the_first(
    local_rank: str | None, run: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RUN, "gru")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if local_rank is not None:
        monkeypatch.setenv("LOCAL_RANK", local_rank)
    assert shared_run() == run


def test_the_run_is_told_to_those_that_it_starts_and_then_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN, "the one around it")
    monkeypatch.delenv(STARTER, raising=False)
    with one_fate("gru"):
        assert (os.environ[RUN], os.environ[STARTER]) == ("gru", str(os.getpid()))
    assert os.environ[RUN] == "the one around it"
    assert STARTER not in os.environ


def test_a_process_whose_starter_is_gone_ends() -> None:
    """Its parent is this one and not the starter that its environment names."""
    code = "import time; from seqlab.runs.ranks import one_fate\nwith one_fate('gru'): time.sleep(30)"
    told = {**os.environ, STARTER: "1", RUN: "gru", "LOCAL_RANK": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=told, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == "seqlab: the first process of this run is gone; this one stops too\n"


def test_a_process_whose_starter_lives_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "LOOK_EVERY", 0.001)
    for name, value in {STARTER: str(os.getppid()), RUN: "gru", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    before = ranks.threading.active_count()
    with one_fate("gru"):
        assert ranks.threading.active_count() == before + 1
    for thread in ranks.threading.enumerate()[before:]:
        thread.join(5)
    assert ranks.threading.active_count() == before


@pytest.mark.parametrize(
    ("rank", "world", "own"), [(0, 2, [1, 2]), (1, 2, [3, 4]), (0, 1, [4, 6]), (0, 3, [4, 6]), (2, 3, [0, 0])]
)
def test_sums_go_to_who_wrote_them_else_to_the_first(
    rank: int, world: int, own: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "rank_and_world", lambda: (rank, world))
    assert own_sums([[1, 2], [3, 4]]) == own
