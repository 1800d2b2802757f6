import pytest
import torch

from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.next_token import NextToken
from seqlab.nn.transformer_language import TransformerLanguageOptions
from seqlab.nn.window_language import WindowLanguageOptions
from seqlab.options import Options

VOCAB = 11
KINDS: list[Options] = [
    LanguageOptions(hidden_size=8, embedding_size=4),
    TransformerLanguageOptions(hidden_size=8, num_heads=2, num_layers=1),
    WindowLanguageOptions(hidden_size=8, embedding_size=4, window=3),
]


@pytest.mark.parametrize("options", KINDS, ids=lambda options: type(options).__name__)
def test_losses_are_those_of_the_logits(options: Options) -> None:
    torch.manual_seed(0)
    made = options.build(VOCAB).double().eval()
    assert isinstance(made, NextToken)
    ids = torch.randint(VOCAB, (3, 7), generator=torch.Generator().manual_seed(1))
    inputs, targets = ids[:, :-1], ids[:, 1:]
    logits, state = made(inputs)
    expected = -logits.log_softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2)
    total, count, after = made.nats(inputs, targets)
    torch.testing.assert_close(total, expected.sum(), rtol=1e-12, atol=0)
    assert count == 18
    each, _ = made.token_nats(inputs, targets)
    torch.testing.assert_close(each.double(), expected.detach(), rtol=1e-5, atol=1e-6)
    valid = torch.arange(6) < torch.tensor([[6], [2], [0]])
    total, real, _ = made.nats(inputs, targets, valid)
    torch.testing.assert_close(total, expected[valid].sum(), rtol=1e-12, atol=0)
    assert int(real) == 8
    following = made(targets[:, -1:], state)[0]
    torch.testing.assert_close(made(targets[:, -1:], after)[0], following)


@pytest.mark.parametrize("options", KINDS, ids=lambda options: type(options).__name__)
def test_costs_and_words(options: Options) -> None:
    made = options.build(VOCAB)
    assert all(cost > 0 for name, cost in made.flops().items() if name != "attention")
    assert "2 streams" in made.memory_in_words(2, "stream")
    assert "1 line" in made.memory_in_words(1, "line")
