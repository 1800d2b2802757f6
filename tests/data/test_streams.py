import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from seqlab.data.loader import Shard
from seqlab.data.streams import ContiguousBatches, EvaluationBatches, RandomBatches, TextBatch
from seqlab.errors import UserError

TEXT = np.arange(103, dtype=np.uint8)
KINDS = [ContiguousBatches, RandomBatches]
SIZES = [(2, 5), (4, 5), (3, 7), (1, 10), (10, 1), (9, 10)]


def epoch_of(
    batches: ContiguousBatches | RandomBatches | EvaluationBatches, epoch: int = 0
) -> list[tuple[Tensor, Tensor]]:
    return [batches.batch(epoch, index)[:2] for index in range(len(batches))]


def equal(one: TextBatch, other: TextBatch) -> bool:
    same_mask = one.valid is other.valid or torch.equal(one.valid, other.valid)
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets) and same_mask


def test_contiguous_literal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContiguousBatches, "offset", lambda self, epoch: 3)
    batches = ContiguousBatches(TEXT, batch_size=2, num_steps=5, seed=0)
    assert len(batches) == 9  # (103 - 5) // 2 = 49 columns
    first, second, last = (batches.batch(0, index) for index in (0, 1, 8))
    assert first.inputs.tolist() == [[3, 4, 5, 6, 7], [52, 53, 54, 55, 56]]
    assert first.targets.tolist() == [[4, 5, 6, 7, 8], [53, 54, 55, 56, 57]]
    assert second.inputs.tolist() == [[8, 9, 10, 11, 12], [57, 58, 59, 60, 61]]
    assert last.inputs.tolist() == [[43, 44, 45, 46, 47], [92, 93, 94, 95, 96]]
    assert last.targets.tolist() == [[44, 45, 46, 47, 48], [93, 94, 95, 96, 97]]
    assert [first.continues, second.continues, last.continues] == [False, True, True]
    assert first.valid is None
    assert first.inputs.dtype == first.targets.dtype == torch.int64


@pytest.mark.parametrize(("batch_size", "num_steps"), SIZES)
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_contiguous_rows_are_streams(batch_size: int, num_steps: int, epoch: int) -> None:
    batches = ContiguousBatches(TEXT, batch_size, num_steps, seed=1)
    offset, columns = batches.offset(epoch), (103 - num_steps) // batch_size
    inputs = torch.cat([inputs for inputs, _ in epoch_of(batches, epoch)], dim=1)
    targets = torch.cat([targets for _, targets in epoch_of(batches, epoch)], dim=1)
    expected = [[offset + row * columns + t for t in range(len(batches) * num_steps)] for row in range(batch_size)]
    assert len(batches) == columns // num_steps
    assert inputs.tolist() == expected
    assert torch.equal(targets, inputs + 1)


def test_contiguous_offsets_cover_every_start() -> None:
    batches = ContiguousBatches(TEXT, batch_size=2, num_steps=5, seed=0)
    assert {batches.offset(epoch) for epoch in range(60)} == {0, 1, 2, 3, 4}
    assert int(batches.batch(7, 0).inputs[0, 0]) == batches.offset(7)


@pytest.mark.parametrize(("batch_size", "num_steps"), SIZES)
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_random_windows_do_not_overlap(batch_size: int, num_steps: int, epoch: int) -> None:
    batches = RandomBatches(TEXT, batch_size, num_steps, seed=1)
    inputs = torch.cat([inputs for inputs, _ in epoch_of(batches, epoch)])
    targets = torch.cat([targets for _, targets in epoch_of(batches, epoch)])
    assert len(batches) == (103 - num_steps) // num_steps // batch_size
    assert inputs.shape == (len(batches) * batch_size, num_steps)
    assert torch.equal(inputs - inputs[:, :1], torch.arange(num_steps).expand_as(inputs))
    assert torch.equal(targets, inputs + 1)
    assert len(inputs.unique()) == inputs.numel()
    assert len((inputs[:, 0] % num_steps).unique()) == 1


def test_random_batches_literal(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = np.array([41, 1, 81, 21, 61])
    monkeypatch.setattr(RandomBatches, "starts", lambda self, epoch: starts)
    batches = RandomBatches(TEXT, batch_size=2, num_steps=3, seed=0)
    assert batches.batch(0, 0).inputs.tolist() == [[41, 42, 43], [1, 2, 3]]
    assert batches.batch(0, 1).targets.tolist() == [[82, 83, 84], [22, 23, 24]]
    assert [batches.batch(0, index).continues for index in (0, 1)] == [False, False]
    assert batches.batch(0, 1).valid is None


def test_random_order_and_offset_change_with_epoch_and_seed() -> None:
    starts = {
        (seed, epoch): RandomBatches(TEXT, 2, 5, seed).starts(epoch).tolist() for seed in (1, 2) for epoch in range(4)
    }
    for one, other in itertools.combinations(starts, 2):
        assert starts[one] != starts[other], (one, other)
    batches = RandomBatches(TEXT, 2, 5, 1)
    assert {int(batches.starts(epoch)[0]) % 5 for epoch in range(60)} == {0, 1, 2, 3, 4}
    assert sorted(starts[1, 0]) != starts[1, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides(kind: type[ContiguousBatches | RandomBatches]) -> None:
    def all_inputs(seed: int) -> list[list[list[int]]]:
        batches = kind(TEXT, 2, 5, seed)
        return [inputs.tolist() for epoch in range(3) for inputs, _ in epoch_of(batches, epoch)]

    first = all_inputs(1)
    np.random.default_rng().random()
    torch.manual_seed(99)
    assert all_inputs(1) == first
    assert all_inputs(2) != first


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_of_access_gives_the_same_batches(kind: type[ContiguousBatches | RandomBatches]) -> None:
    batches = kind(TEXT, 3, 7, 5)
    places = [(epoch, index) for epoch in range(3) for index in range(len(batches))]
    straight = {place: batches.batch(*place) for place in places}
    shuffled = kind(TEXT, 3, 7, 5)
    for number in np.random.default_rng(0).permutation(2 * len(places)):
        place = places[number % len(places)]
        assert equal(shuffled.batch(*place), straight[place])


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_shards_together_are_the_whole_batch(kind: type[ContiguousBatches | RandomBatches], world: int) -> None:
    whole = kind(TEXT, 4, 5, 3)
    shards = [kind(TEXT, 4, 5, 3, Shard(rank, world)) for rank in range(world)]
    for epoch, index in itertools.product(range(2), range(len(whole))):
        parts = [shard.batch(epoch, index) for shard in shards]
        assert {len(shard) for shard in shards} == {len(whole)}
        assert {len(part.inputs) for part in parts} == {4 // world}
        assert torch.equal(torch.cat([part.inputs for part in parts]), whole.batch(epoch, index).inputs)
        assert torch.equal(torch.cat([part.targets for part in parts]), whole.batch(epoch, index).targets)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_size_must_divide_among_processes(kind: type[ContiguousBatches | RandomBatches]) -> None:
    words = (
        r"^batch_size 3 is the number of streams over all processes and does not divide by the 2 processes of this "
        r"run; choose a multiple of 2$"
    )
    with pytest.raises(UserError, match=words):
        kind(TEXT, 3, 5, 0, Shard(0, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_too_little_text(kind: type[ContiguousBatches | RandomBatches]) -> None:
    words = (
        r"^the training text has 103 tokens, but one batch of batch_size 20 x num_steps 5 needs at least 105; "
        r"lower --data.batch_size or --data.num_steps, or give more text$"
    )
    with pytest.raises(UserError, match=words):
        kind(TEXT, 20, 5, 0)
    just_enough = kind(np.arange(105, dtype=np.uint8), 20, 5, 0)
    assert len(just_enough) == 1
    for epoch in range(30):
        assert int(just_enough.batch(epoch, 0).targets.max()) <= 104


def test_ids_beyond_a_byte_keep_their_values() -> None:
    ids = np.arange(65_000, 65_103, dtype=np.uint16)
    for batch in (ContiguousBatches(ids, 2, 5, 0).batch(0, 0), EvaluationBatches(ids, 2, 5).batch(0, 0)):
        assert batch.inputs.min() >= 65_000
        assert torch.equal(batch.targets, batch.inputs + 1)


def test_evaluation_literal() -> None:
    batches = EvaluationBatches(np.arange(12, dtype=np.uint8), streams=3, num_steps=2)
    assert len(batches) == 2  # 11 targets in runs of 3, 4 and 4
    first, last = batches.batch(0, 0), batches.batch(0, 1)
    assert first.inputs.tolist() == [[0, 1], [3, 4], [7, 8]]
    assert first.targets.tolist() == [[1, 2], [4, 5], [8, 9]]
    assert first.valid is None
    assert last.inputs.tolist() == [[2, 3], [5, 6], [9, 10]]
    assert last.targets.tolist() == [[3, 4], [6, 7], [10, 11]]
    assert last.valid is not None
    assert last.valid.tolist() == [[True, False], [True, True], [True, True]]
    assert [first.continues, last.continues] == [False, True]


def test_evaluation_last_batch_is_as_short_as_the_text() -> None:
    batches = EvaluationBatches(np.arange(8, dtype=np.uint8), streams=1, num_steps=3)
    assert [batches.batch(0, index).inputs.tolist() for index in range(3)] == [[[0, 1, 2]], [[3, 4, 5]], [[6]]]
    assert [batches.batch(0, index).valid for index in range(3)] == [None, None, None]


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize(
    ("tokens", "streams", "num_steps"),
    [(103, 1, 10), (103, 2, 10), (103, 7, 4), (12, 11, 5), (50, 4, 100), (104, 4, 5)],
)
def test_evaluation_predicts_each_token_once(tokens: int, streams: int, num_steps: int, world: int) -> None:
    seen: list[int] = []
    lengths = set()
    for rank in range(world):
        batches = EvaluationBatches(np.arange(tokens, dtype=np.uint8), streams, num_steps, Shard(rank, world))
        lengths.add(len(batches))
        for index in range(len(batches)):
            batch = batches.batch(0, index)
            valid = torch.ones_like(batch.targets, dtype=torch.bool) if batch.valid is None else batch.valid
            assert torch.equal(batch.targets[valid], batch.inputs[valid] + 1)
            assert batch.inputs.shape[1] <= num_steps
            seen += batch.targets[valid].tolist()
    assert sorted(seen) == list(range(1, tokens))
    assert len(lengths) == 1


def test_evaluation_rows_go_on() -> None:
    batches = EvaluationBatches(TEXT, streams=4, num_steps=6)
    rows = torch.cat([inputs for inputs, _ in epoch_of(batches)], dim=1)
    lengths = [25, 26, 25, 26]
    assert rows.shape == (4, 26)
    for row, start, length in zip(rows, (0, 25, 51, 76), lengths, strict=True):
        assert row[:length].tolist() == list(range(start, start + length))


def test_evaluation_is_the_same_in_every_epoch() -> None:
    batches = EvaluationBatches(TEXT, streams=4, num_steps=6)
    for index in reversed(range(len(batches))):
        assert equal(batches.batch(0, index), batches.batch(5, index))


def test_evaluation_needs_a_token_for_each_stream() -> None:
    words = r"^a text of 4 tokens is too short to evaluate in 4 streams; give more text$"
    with pytest.raises(UserError, match=words):
        EvaluationBatches(np.arange(4, dtype=np.uint8), streams=4, num_steps=2)
    with pytest.raises(UserError, match="in 5 streams"):
        EvaluationBatches(np.arange(4, dtype=np.uint8), streams=1, num_steps=2, shard=Shard(0, 5))
