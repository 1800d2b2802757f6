import numpy as np
import pytest
import torch

from seqlab.data.loader import Loader, Shard
from seqlab.data.pairs import BucketBatches, EvaluationPairs, PairBatch, Pairs, Sentences, Specials
from seqlab.errors import UserError

PAD, BOS, EOS = 1, 2, 3


def made(count: int = 103, seed: int = 0) -> Pairs:
    """Pairs whose first source token says which pair it is, of 1 to 9 tokens."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 9, count)
    sides = [[[10 + row, *rng.integers(4, 9, lengths[row])] for row in range(count)] for _ in range(2)]
    sources, targets = (Sentences(rows, np.uint16) for rows in sides)
    return Pairs(sources, targets, Specials(PAD, BOS, EOS))


def names(batch: PairBatch) -> list[int]:
    """Which pairs a batch holds; those that count for nothing are left out."""
    rows = zip(batch.source[:, 0].tolist(), batch.valid.any(1).tolist(), strict=True)
    return [first - 10 for first, real in rows if real]


def test_a_batch_by_hand() -> None:
    pairs = Pairs(Sentences([[7], [5, 6]], np.uint8), Sentences([[9, 9, 8], [4]], np.uint8), Specials(PAD, BOS, EOS))
    batch = pairs.batch(np.array([1, 0]))
    assert batch.source.tolist() == [[5, 6, EOS], [7, EOS, PAD]]
    assert batch.source_lengths.tolist() == [3, 2]
    assert batch.inputs.tolist() == [[BOS, 4, PAD, PAD], [BOS, 9, 9, 8]]
    assert batch.targets.tolist() == [[4, EOS, PAD, PAD], [9, 9, 8, EOS]]
    assert batch.valid.tolist() == [[True, True, False, False], [True] * 4]
    assert {part.dtype for part in batch[:4]} == {torch.int64}


def test_each_pair_once_an_epoch_but_for_a_rest_that_changes() -> None:
    batches = BucketBatches(made(), batch_size=10, batch_tokens=None, seed=1)
    assert len(batches) == 10
    left_out = []
    for epoch in range(4):
        seen = [name for index in range(10) for name in names(batches.batch(epoch, index))]
        assert len(seen) == len(set(seen)) == 100
        left_out.append(frozenset(range(103)) - set(seen))
    assert len(set(left_out)) > 1


@pytest.mark.parametrize("options", [{"batch_size": 10, "batch_tokens": None}, {"batch_size": 1, "batch_tokens": 120}])
def test_batches_are_a_function_of_seed_epoch_and_index(options: dict[str, int | None]) -> None:
    def read(seed: int, epochs: tuple[int, ...]) -> list[list[int]]:
        batches = BucketBatches(made(), seed=seed, **options)  # type: ignore[arg-type]
        return [names(batches.batch(epoch, index)) for epoch in epochs for index in range(len(batches))]

    assert read(1, (0, 1)) == read(1, (0,)) + read(1, (1,))
    assert read(1, (0,)) != read(2, (0,))
    assert read(1, (0,)) != read(1, (1,))


def test_batches_hold_like_lengths() -> None:
    pairs = made(1000)
    batches = BucketBatches(pairs, batch_size=20, batch_tokens=None, seed=0)
    padded = real = 0
    for index in range(len(batches)):
        batch = batches.batch(0, index)
        padded += batch.source.numel() + batch.targets.numel()
        real += int(batch.source_lengths.sum() + batch.valid.sum())
    assert 1 - real / padded < 0.1
    widths = [batches.batch(0, index).targets.shape[1] for index in range(len(batches))]
    assert widths != sorted(widths)


def test_batches_by_tokens() -> None:
    batches = BucketBatches(made(500), batch_size=1, batch_tokens=120, seed=0)
    for epoch in (0, 1):
        read = [batches.batch(epoch, index) for index in range(len(batches))]
        assert sorted(name for batch in read for name in names(batch)) == list(range(500))
        assert max(batch.source.numel() + batch.targets.numel() for batch in read) <= 120


@pytest.mark.parametrize("options", [{"batch_size": 12, "batch_tokens": None}, {"batch_size": 1, "batch_tokens": 150}])
@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_every_batch(world: int, options: dict[str, int | None]) -> None:
    pairs = made(96)
    whole = BucketBatches(pairs, seed=3, **options)  # type: ignore[arg-type]
    parts = [BucketBatches(pairs, seed=3, shard=Shard(rank, world), **options) for rank in range(world)]  # type: ignore[arg-type]
    assert len({len(part) for part in parts}) == 1
    if options["batch_tokens"] is None:
        for index in range(len(whole)):
            shared = [name for part in parts for name in names(part.batch(0, index))]
            assert sorted(shared) == sorted(names(whole.batch(0, index)))
    seen = [name for part in parts for index in range(len(part)) for name in names(part.batch(0, index))]
    assert sorted(seen) == list(range(96))


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 7, 64, 103])
def test_evaluation_counts_every_pair_once(count: int, world: int) -> None:
    parts = [EvaluationPairs(made(count), 16, Shard(rank, world)) for rank in range(world)]
    assert len({len(part) for part in parts}) == 1
    seen = [name for part in parts for index in range(len(part)) for name in names(part.batch(0, index))]
    assert sorted(seen) == list(range(count))


def test_a_loader_goes_on_within_an_epoch() -> None:
    loader = Loader(BucketBatches(made(), batch_size=10, batch_tokens=None, seed=1))
    first = iter(loader)
    read = [names(next(first)) for _ in range(4)]
    other = Loader(BucketBatches(made(), batch_size=10, batch_tokens=None, seed=1))
    other.load_state_dict(loader.state_dict())
    rest = [names(batch) for batch in other]
    assert read + rest == [names(batch) for batch in Loader(loader.batches)]


def test_too_few_pairs_and_a_batch_that_does_not_divide() -> None:
    with pytest.raises(UserError, match=r"^the training part has 3 pairs, fewer than one batch of 4; lower"):
        BucketBatches(made(3), 4, None, 0)
    with pytest.raises(UserError, match=r"^batch_size 5 is the number of pairs over all processes and does not divide"):
        BucketBatches(made(20), 5, None, 0, Shard(0, 2))
