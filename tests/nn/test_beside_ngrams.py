import pytest
import torch

from seqlab.nn.beside_ngrams import BesideNGrams
from seqlab.nn.window_language import WindowLanguageOptions

VOCAB = 5
TEXT = torch.tensor([1, 2, 3, 1, 2, 4, 1, 2, 3, 0, 1])


@pytest.fixture
def both() -> BesideNGrams:
    torch.manual_seed(0)
    made = WindowLanguageOptions(2, 4, 3, dropout=0.0, counts=0.25, order=3).build(VOCAB)
    assert isinstance(made, BesideNGrams)
    made.counts.count(TEXT)
    return made


def test_probabilities_are_mixed_where_nothing_is_trained(both: BesideNGrams) -> None:
    both.eval()
    ids = TEXT[:6].view(1, 6)
    own, counted = both.network(ids)[0].double().softmax(-1), both.counts(ids)[0].exp()
    logits, state = both(ids)
    torch.testing.assert_close(logits.exp(), 0.75 * own + 0.25 * counted, rtol=1e-6, atol=1e-9)
    inputs, targets = ids[:, :-1], ids[:, 1:]
    total, tokens, _ = both.nats(inputs, targets)
    expected = -logits[:, :-1].gather(2, targets.unsqueeze(2))
    torch.testing.assert_close(total, expected.sum(), rtol=1e-6, atol=1e-9)
    assert tokens == 5
    following = torch.tensor([[2]])
    at_once = both(torch.cat([ids, following], 1))[0][:, -1:]
    torch.testing.assert_close(both(following, state)[0], at_once, rtol=1e-6, atol=1e-9)


def test_the_network_is_trained_alone(both: BesideNGrams) -> None:
    both.train()
    ids = TEXT[:6].view(1, 6)
    torch.testing.assert_close(both(ids)[0], both.network(ids)[0])
    total, _, _ = both.nats(ids[:, :-1], ids[:, 1:])
    total.backward()
    assert all(weight.grad is not None for weight in both.network.parameters())


def test_weights_have_one_name(both: BesideNGrams) -> None:
    assert {name.split(".")[0] for name in both.state_dict()} == {"network", "counts"}
    assert both.embedding is both.network.embedding
