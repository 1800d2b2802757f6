import numpy as np
import pytest

from seqlab.data.buckets import Buckets, OnceEach
from seqlab.data.loader import Shard
from seqlab.errors import UserError

WIDTHS = (np.random.default_rng(0).integers(1, 40, 103),)


def epoch_of(buckets: Buckets, epoch: int = 0) -> list[list[int]]:
    return [buckets.rows(epoch, index).tolist() for index in range(len(buckets))]


def test_every_row_once_an_epoch_and_a_smaller_batch_of_any_length() -> None:
    buckets = Buckets(WIDTHS, 10, None, 1)
    assert len(buckets) == 11
    smaller = set()
    for epoch in range(6):
        read = epoch_of(buckets, epoch)
        assert sorted(row for batch in read for row in batch) == list(range(103))
        assert sorted(map(len, read)) == [3, *[10] * 10]
        smaller.add(WIDTHS[0][min(read, key=len)].max() // 8)
    assert len(smaller) > 1


def test_a_batch_larger_than_the_part_is_all_of_it() -> None:
    buckets = Buckets(WIDTHS, 1000, None, 0)
    assert [sorted(batch) for batch in epoch_of(buckets)] == [list(range(103))]


@pytest.mark.parametrize("options", [(12, None), (1, 150)])
@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_every_batch(world: int, options: tuple[int, int | None]) -> None:
    widths = (WIDTHS[0][:100],)
    parts = [Buckets(widths, *options, 3, Shard(rank, world)) for rank in range(world)]
    assert len({len(part) for part in parts}) == 1
    read = [epoch_of(part) for part in parts]
    assert all(len({len(batch) for batch in batches}) == 1 for batches in zip(*read, strict=True))
    assert sorted(row for part in read for batch in part for row in batch) == list(range(100))
    if options[1] is None:
        whole = epoch_of(Buckets(widths, *options, 3))
        assert [sorted(sum(batches, [])) for batches in zip(*read, strict=True)] == [sorted(batch) for batch in whole]


def test_full_batches_leave_a_rest_out() -> None:
    assert [len(batch) for batch in epoch_of(Buckets(WIDTHS, 10, None, 1, full=True))] == [10] * 10


def test_once_each_pads_the_processes_with_a_row_that_is_not_real() -> None:
    parts = [OnceEach(WIDTHS, 16, Shard(rank, 4)) for rank in range(4)]
    assert {len(part) for part in parts} == {2}
    pairs = [part.rows(index) for part in parts for index in range(2)]
    assert sorted(row for rows, real in pairs for row in rows[real].tolist()) == list(range(103))
    assert sum(int((~real).sum()) for _, real in pairs) == 1


def test_refusals_name_what_the_rows_are() -> None:
    words = "^batch_size 5 is the number of texts over all processes and does not divide by the 2 processes"
    with pytest.raises(UserError, match=words):
        Buckets(WIDTHS, 5, None, 0, Shard(0, 2))
    words = "^the training part has 1 texts, fewer than one batch of 2; lower --data.batch_size or give more texts$"
    with pytest.raises(UserError, match=words):
        Buckets((np.array([3]),), 2, None, 0, Shard(0, 2))
