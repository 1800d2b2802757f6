import numpy as np
import pytest
import torch

from seqlab.data import text_lines
from seqlab.data.loader import Shard
from seqlab.data.streams import TextBatch
from seqlab.data.text_lines import EvaluationLines, LineBatches, TextLines
from seqlab.errors import UserError

BOS, EOS = 1, 2
IDS = np.array([BOS, 3, 4, EOS, BOS, EOS, BOS, 5, 5, 5, EOS], dtype=np.uint8)
LINES = {(3, 4, EOS), (EOS,), (5, 5, 5, EOS)}


def targets_of(batch: TextBatch) -> list[tuple[int, ...]]:
    """What each row that counts has to predict."""
    assert batch.valid is not None
    rows = (tuple(row[real].tolist()) for row, real in zip(batch.targets, batch.valid, strict=True))
    return [row for row in rows if row]


def test_lines_of_a_part() -> None:
    lines = TextLines(IDS, BOS)
    assert lines.starts.tolist() == [0, 4, 6]
    assert lines.lengths.tolist() == [3, 1, 4]
    assert TextLines(IDS[:0], BOS).lengths.tolist() == []


def test_a_batch_by_hand() -> None:
    batch = TextLines(IDS, BOS).batch(np.array([2, 0]))
    assert batch.inputs[0].tolist() == [BOS, 5, 5, 5]
    assert batch.targets[0].tolist() == [5, 5, 5, EOS]
    assert batch.inputs[1, :3].tolist() == [BOS, 3, 4]
    assert batch.targets[1, :3].tolist() == [3, 4, EOS]
    assert batch.valid is not None
    assert batch.valid.tolist() == [[True] * 4, [True, True, True, False]]
    assert not batch.continues
    assert batch.inputs.dtype == batch.targets.dtype == torch.int64


def test_rows_that_are_not_real_count_for_nothing() -> None:
    batch = TextLines(IDS, BOS).batch(np.array([1, 0]), np.array([True, False]))
    assert targets_of(batch) == [(EOS,)]


def test_every_line_is_trained_on_once_an_epoch() -> None:
    batches = LineBatches(TextLines(IDS, BOS), 2, seed=0)
    assert len(batches) == 2
    for epoch in range(3):
        read = [row for index in range(2) for row in targets_of(batches.batch(epoch, index))]
        assert len(read) == 3
        assert {*read} == LINES
    again = LineBatches(TextLines(IDS, BOS), 2, seed=0)
    assert torch.equal(again.batch(1, 0).inputs, batches.batch(1, 0).inputs)


def test_seeds_order_lines_otherwise() -> None:
    lines = TextLines(np.tile(IDS, 10), BOS)
    one, other = (LineBatches(lines, 5, seed) for seed in (0, 1))
    assert [targets_of(one.batch(0, at)) for at in range(6)] != [targets_of(other.batch(0, at)) for at in range(6)]


def test_processes_share_the_lines_of_a_batch() -> None:
    lines = TextLines(np.tile(IDS, 4), BOS)
    whole = LineBatches(lines, 6, seed=0)
    shards = [LineBatches(lines, 6, seed=0, shard=Shard(rank, 2)) for rank in range(2)]
    for index in range(2):
        parts = [targets_of(shard.batch(0, index)) for shard in shards]
        assert [len(part) for part in parts] == [3, 3]
        assert sorted([*parts[0], *parts[1]]) == sorted(targets_of(whole.batch(0, index)))
    with pytest.raises(UserError, match="^batch_size 3 is the number of lines over all processes and does not divide"):
        LineBatches(lines, 3, seed=0, shard=Shard(0, 2))


@pytest.mark.parametrize("world", [1, 2])
def test_every_line_is_evaluated_once_over_all_processes(world: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "EVALUATED", 2)
    shards = [EvaluationLines(TextLines(IDS, BOS), Shard(rank, world)) for rank in range(world)]
    assert [len(shard) for shard in shards] == [2] if world == 1 else [1, 1]
    read = [row for shard in shards for index in range(len(shard)) for row in targets_of(shard.batch(0, index))]
    assert len(read) == 3
    assert {*read} == LINES


def test_places_are_those_of_the_tokens_that_are_read() -> None:
    evaluation = EvaluationLines(TextLines(IDS, BOS))
    batch = evaluation.batch(0, 0)
    places = evaluation.places(0, batch.inputs.shape[1])
    assert places.tolist() == [[4, 5, 6, 7], [0, 1, 2, 3], [6, 7, 8, 9]]  # the shortest line first
    assert batch.valid is not None
    assert IDS[places][batch.valid.numpy()].tolist() == batch.inputs[batch.valid].tolist()
