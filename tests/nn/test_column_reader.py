from dataclasses import replace

import pytest
import torch

from seqlab.nn.column_reader import ColumnReader, ColumnReaderOptions

SMALL = ColumnReaderOptions(hidden_size=6, filters=3, embedding_size=5, dropout=0.0)
KINDS = {
    "columns": replace(SMALL, convolutions=0, columns_per_step=1),
    "columns together": replace(SMALL, convolutions=0, columns_per_step=3),
    "one layer": replace(SMALL, convolutions=1, columns_per_step=1, embedding_size=None),
    "two layers": SMALL,
    "three layers, lstm": replace(SMALL, convolutions=3, columns_per_step=3, cell="lstm", bidirectional=False),
}


def reader(options: ColumnReaderOptions, height: int = 7) -> ColumnReader:
    torch.manual_seed(0)
    return options.build(height, 4).double().eval()


@pytest.mark.parametrize("kind", KINDS)
def test_neither_padding_nor_neighbours_change_anything(kind: str) -> None:
    network = reader(KINDS[kind])
    images, lengths = torch.rand(4, 13, 7, dtype=torch.float64), torch.tensor([13, 1, 6, 12])
    together = network(images, lengths)
    assert together.shape == (4, -(-13 // network.columns_per_step), 5)
    more = torch.cat([images, torch.rand(4, 5, 7, dtype=torch.float64)], 1)
    for row, (length, steps) in enumerate(zip(lengths.tolist(), network.steps(lengths).tolist(), strict=True)):
        alone = network(images[row : row + 1, :length], lengths[row : row + 1])
        assert alone.shape[1] == steps
        assert torch.allclose(alone[0], together[row, :steps], atol=1e-12)
        assert torch.allclose(network(more, lengths)[row, :steps], alone[0], atol=1e-12)


def test_columns_reach_the_recurrence_as_they_are() -> None:
    network = reader(replace(SMALL, convolutions=0, columns_per_step=2, embedding_size=None), 2)
    read = network._steps(torch.arange(8.0).view(1, 4, 2), torch.tensor([3]))
    assert read.tolist() == [[[0, 1, 2, 3], [4, 5, 0, 0]]]


def test_one_direction_does_not_see_what_is_to_come() -> None:
    network = reader(replace(SMALL, bidirectional=False, convolutions=0))
    images, lengths = torch.rand(1, 12, 7, dtype=torch.float64), torch.tensor([12])
    changed = images.clone()
    changed[:, 8:] += 1
    same = (network(images, lengths) == network(changed, lengths)).all(-1)[0]
    assert same.tolist() == [True] * 4 + [False] * 2
