from dataclasses import replace
from typing import Any

import pytest
import torch

from seqlab.data.tagged_batches import TaggedBatch
from seqlab.nn.tagger import Tagger
from seqlab.nn.transformer_tagger import TransformerTaggerOptions

SMALL = TransformerTaggerOptions(hidden_size=8, num_heads=2, embedding_size=5, casing_size=2, init="torch")


def batch(rows: int, time: int, lengths: list[int]) -> TaggedBatch:
    place = torch.arange(rows).unsqueeze(1) * 7 + torch.arange(time) * 3
    real = torch.arange(time) < torch.tensor(lengths).unsqueeze(1)
    return TaggedBatch(
        ids=torch.where(real, place % 13 + 2, 1),
        casing=torch.where(real, place % 10 + 1, 0),
        places=torch.zeros(rows, time, dtype=torch.int64),
        spellings=torch.ones(1, 3, dtype=torch.int64),
        spelling_lengths=torch.tensor([3]),
        lengths=torch.tensor(lengths),
        tags=torch.where(real, place % 3, -1),
        valid=torch.ones(rows, dtype=torch.bool),
        items=torch.arange(rows),
    )


@pytest.mark.parametrize("options", [{}, {"characters": "cnn"}, {"output": "crf"}, {"positions": "sinusoidal"}])
def test_padding_and_company_change_nothing(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    made = Tagger(16, 12, 3, replace(SMALL, **options)).double().eval()
    lengths = [5, 1, 3]
    scores = made(batch(3, 5, lengths))
    assert scores.shape == (3, 5, 3)
    wider = made(batch(3, 9, lengths))
    for row, length in enumerate(lengths):
        torch.testing.assert_close(wider[row, :length], scores[row, :length], rtol=0, atol=1e-12)
    alone = made(batch(1, 5, [5]))
    torch.testing.assert_close(alone[0], scores[0], rtol=0, atol=1e-12)
