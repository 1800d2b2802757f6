from io import StringIO
from itertools import islice

import numpy as np
import pytest

from seqlab.data.loader import Loader, used_of, watched
from seqlab.data.streams import RandomBatches


class Places:
    """Batches that say where they stand."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def batch(self, epoch: int, index: int) -> tuple[int, int]:
        return epoch, index


def loader(length: int = 3) -> Loader[tuple[int, int]]:
    return Loader(Places(length))


def walked(steps: int) -> Loader[tuple[int, int]]:
    """A loader that gave as many batches and, as under a Trainer, is never exhausted."""
    walking = loader()
    for begin in range(0, steps, 3):
        assert list(islice(walking, min(3, steps - begin)))
    return walking


def test_each_iteration_is_the_next_epoch() -> None:
    walking = loader()
    assert len(walking) == 3
    assert list(walking) == [(0, 0), (0, 1), (0, 2)]
    assert list(walking) == [(1, 0), (1, 1), (1, 2)]


def test_an_epoch_left_early_is_not_gone_on_with() -> None:
    walking = loader()
    assert list(islice(walking, 2)) == [(0, 0), (0, 1)]
    assert list(walking) == [(1, 0), (1, 1), (1, 2)]


@pytest.mark.parametrize("steps", range(10))
def test_state_after_any_batch_goes_on_with_the_next(steps: int) -> None:
    everything = [(epoch, index) for epoch in range(5) for index in range(3)]
    resumed = loader()
    resumed.load_state_dict(walked(steps).state_dict())
    rest = [place for _ in range(2) for place in resumed]
    assert rest == everything[steps : steps + len(rest)]
    assert len(rest) == 6 - steps % 3


def test_state_before_any_batch() -> None:
    resumed = loader()
    resumed.load_state_dict(loader().state_dict())
    assert list(resumed) == [(0, 0), (0, 1), (0, 2)]


def test_state_is_taken_at_the_batch_just_given() -> None:
    walking = loader()
    iterator = iter(walking)
    next(iterator)
    state = walking.state_dict()
    next(iterator)
    assert state == {"epoch": 0, "index": 1, "used": 3}
    assert walking.state_dict() == {"epoch": 0, "index": 2, "used": 3}


def test_a_resumed_loader_goes_on_to_whole_epochs() -> None:
    resumed = loader()
    resumed.load_state_dict(walked(4).state_dict())
    assert list(resumed) == [(1, 1), (1, 2)]
    assert list(resumed) == [(2, 0), (2, 1), (2, 2)]
    assert list(resumed) == [(3, 0), (3, 1), (3, 2)]


@pytest.mark.parametrize("length", [2, 3, 6])
def test_a_finished_epoch_is_finished_also_if_epochs_have_other_lengths_now(length: int) -> None:
    resumed = loader(length)
    resumed.load_state_dict(walked(3).state_dict())
    assert list(resumed) == [(1, index) for index in range(length)]


def test_a_place_of_an_earlier_version() -> None:
    resumed = loader()
    resumed.load_state_dict({"epoch": 4, "index": 2})
    assert list(resumed) == [(4, 2)]
    resumed.load_state_dict({"epoch": 4, "index": 3})
    assert list(resumed) == [(5, 0), (5, 1), (5, 2)]


def test_resumed_text_is_the_text_that_would_have_come() -> None:
    def fresh() -> Loader[object]:
        return Loader(RandomBatches(np.arange(200, dtype=np.uint8), 3, 5, seed=4))

    whole = fresh()
    everything = [batch.inputs.tolist() for _ in range(3) for batch in whole]
    stopped = fresh()
    list(stopped)
    list(islice(stopped, 5))
    resumed = fresh()
    resumed.load_state_dict(stopped.state_dict())
    assert [batch.inputs.tolist() for _ in range(2) for batch in resumed] == everything[len(whole) + 5 :]


def test_no_batches() -> None:
    assert list(loader(0)) == []


@pytest.mark.parametrize("steps", range(7))
def test_an_epoch_ends_where_the_trainer_stops_using_it(steps: int) -> None:
    used = 2
    everything = [(epoch, index) for epoch in range(9) for index in range(used)]
    walking = Loader(Places(3), used)
    for begin in range(0, steps, used):
        assert list(islice(walking, min(used, steps - begin)))
    resumed = Loader(Places(3), used)
    resumed.load_state_dict(walking.state_dict())
    rest = [*islice(resumed, used - steps % used), *islice(resumed, used)]
    assert rest == everything[steps : steps + len(rest)]


@pytest.mark.parametrize(("limit", "used"), [(None, 10), (1.0, 10), (7, 7), (70, 10), (0.25, 2), (0, 0)])
def test_limits(limit: int | float | None, used: int) -> None:
    assert used_of(10, limit) == used


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_with_the_time_left_is_shown_on_a_terminal_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shows in ((_Terminal(), True), (StringIO(), False)):
        monkeypatch.setattr("sys.stderr", stream)
        with watched():
            list(loader())
        assert ("batch/s" in stream.getvalue()) == shows
    monkeypatch.setattr("sys.stderr", silent := _Terminal())
    list(loader())
    assert silent.getvalue() == ""
