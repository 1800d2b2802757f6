from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn.text_cnn import TextCNN, TextCNNOptions

VOCAB, CLASSES = 11, 3


def network(seed: int = 0, **options: Any) -> TextCNN:
    torch.manual_seed(seed)
    given = {"embedding_size": 5, "embedding_std": 1.0, "filters": 4, **options}
    return TextCNNOptions(**given).build(VOCAB, CLASSES).double().eval()


def texts(batch: int = 8, time: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, time + 1, (batch,), generator=generator)
    lengths[0], lengths[1] = time, 1
    return torch.randint(VOCAB, (batch, time), generator=generator), lengths


def test_logits_by_hand() -> None:
    """Vectors of one number, two widths of one filter with weights of 1: the largest sum of neighbours."""
    made = network(embedding_size=1, filters=1, widths=[2, 3])
    with torch.no_grad():
        made.embedding.weight.copy_(torch.arange(11.0).unsqueeze(1))
        for convolution, bias in zip(made.convolutions, (-4.0, -20.0), strict=True):
            convolution.weight.fill_(1)
            convolution.bias.fill_(bias)
        made.output.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        made.output.bias.fill_(0.5)
    logits = made(torch.tensor([[1, 8, 3, 10, 9], [2, 9, 10, 10, 10]]), torch.tensor([5, 1]))
    # sums of two 9, 11, 13, 19 and of three 12, 21, 22; the short text is filled up to 2 + 0 and 2 + 0 + 0
    assert logits.tolist() == [[15.5, 2.5, 0.5], [0.5, 0.5, 0.5]]


@pytest.mark.parametrize("widths", [[3, 4, 5], [1], [9]])
def test_padding_and_company_change_nothing(widths: list[int]) -> None:
    made = network(widths=widths)
    ids, lengths = texts()
    logits = made(ids, lengths)
    assert logits.shape == (8, CLASSES)
    more = torch.cat([ids, torch.full((8, 4), 3)], 1)
    torch.testing.assert_close(made(more, lengths), logits, rtol=0, atol=1e-12)
    for row, length in enumerate(lengths.tolist()):
        alone = made(ids[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(alone, logits[row : row + 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "changed", [{"widths": [2, 3]}, {"filters": 5}, {"embedding_size": 4}, {"init": "xavier"}], ids=str
)
def test_every_option_changes_the_logits(changed: dict[str, Any]) -> None:
    ids, lengths = texts()
    assert not torch.allclose(network(**changed)(ids, lengths), network()(ids, lengths))


@pytest.mark.parametrize("share", [{"dropout": 0.5}, {"word_dropout": 0.5}, {"embedding_dropout": 0.5}], ids=str)
def test_dropout_acts_while_training_alone(share: dict[str, float]) -> None:
    ids, lengths = texts()
    made = network(**{"dropout": 0.0, **share})
    torch.testing.assert_close(made(ids, lengths), made(ids, lengths), rtol=0, atol=0)
    made.train()
    assert not torch.allclose(made(ids, lengths), made(ids, lengths))


def test_state_dict_round_trip() -> None:
    ids, lengths = texts()
    made, other = network(), network(seed=1)
    other.load_state_dict(made.state_dict())
    torch.testing.assert_close(made(ids, lengths), other(ids, lengths), rtol=0, atol=0)


def test_options_are_checked() -> None:
    with pytest.raises(UserError, match=r"widths \[3, 0\] must be a whole number of at least 1, or a list of such"):
        TextCNNOptions(widths=[3, 0])
    with pytest.raises(UserError, match="filters 0 must be a whole number of at least 1"):
        TextCNNOptions(filters=0)
