import pytest
import torch

from seqlab.nn.beside_ngrams import BesideNGrams, NextTokenOptions
from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.transformer_language import TransformerLanguageOptions
from seqlab.nn.window_language import WindowLanguageOptions

VOCAB = 5
TEXT = torch.tensor([1, 2, 3, 1, 2, 4, 1, 2, 3, 0, 1])


OPTIONS: dict[str, NextTokenOptions] = {
    "window": WindowLanguageOptions(window=2, hidden_size=4, embedding_size=3, dropout=0.0, counts=0.25, order=3),
    "recurrence": LanguageOptions(cell="lstm", hidden_size=4, embedding_size=3, dropout=0.0, counts=0.25, order=3),
    "transformer": TransformerLanguageOptions(
        hidden_size=4, num_layers=1, num_heads=2, dropout=0.0, counts=0.25, order=3
    ),
}


@pytest.fixture(params=OPTIONS)
def both(request: pytest.FixtureRequest) -> BesideNGrams:
    torch.manual_seed(0)
    made = OPTIONS[request.param].build(VOCAB)
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


def test_rows_of_both_states_are_taken_together(both: BesideNGrams) -> None:
    both.eval()
    ids = torch.tensor([[1, 2, 3], [4, 1, 2], [3, 0, 1]])
    _, state = both(ids)
    assert both.num_rows(state) == 3
    rows, following = torch.tensor([2, 0, 0]), torch.tensor([[2], [1], [3]])
    expected = both(torch.cat([ids[rows], following], 1))[0][:, -1:]
    torch.testing.assert_close(both(following, both.of_rows(state, rows))[0], expected, rtol=1e-5, atol=1e-7)
    halves = [both.of_rows(state, torch.tensor(part)) for part in ([2], [0, 0])]
    torch.testing.assert_close(both(following, both.gathered(halves))[0], expected, rtol=1e-5, atol=1e-7)


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
