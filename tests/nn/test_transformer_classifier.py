from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.nn.transformer_classifier import TransformerClassifier, TransformerClassifierOptions

VOCAB, CLASSES = 11, 3
POSITIONS: list[dict[str, Any]] = [
    {"positions": "rotary"},
    {"positions": "sinusoidal"},
    {"positions": "learned", "context": 16},
    {"positions": "none"},
]


def network(**options: Any) -> TransformerClassifier:
    torch.manual_seed(0)
    given = {"hidden_size": 8, "num_heads": 2, "embedding_size": 5, "embedding_std": 1.0, "init": "torch", **options}
    return TransformerClassifierOptions(**given).build(VOCAB, CLASSES).double().eval()


def texts(batch: int = 8, time: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, time + 1, (batch,), generator=generator)
    lengths[0] = time
    return torch.randint(VOCAB, (batch, time), generator=generator), lengths


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
@pytest.mark.parametrize("positions", POSITIONS)
def test_padding_and_company_change_nothing(positions: dict[str, Any], pooling: str) -> None:
    made = network(pooling=pooling, **positions)
    ids, lengths = texts()
    logits = made(ids, lengths)
    assert logits.shape == (8, CLASSES)
    more = torch.cat([ids, torch.full((8, 4), 3)], 1)
    torch.testing.assert_close(made(more, lengths), logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(made.weights(more, lengths)[:, 7:], torch.zeros(8, 4).double(), rtol=0, atol=0)
    for row, length in enumerate(lengths.tolist()):
        alone = made(ids[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(alone, logits[row : row + 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("positions", POSITIONS)
def test_the_order_of_words_counts_where_positions_do(positions: dict[str, Any]) -> None:
    made, ids, lengths = network(**positions), torch.arange(6).unsqueeze(0), torch.tensor([6])
    same = torch.allclose(made(ids, lengths), made(ids.flip(1), lengths))
    assert same == (positions["positions"] == "none")
