import pytest
import torch
from torch import Tensor

from seqlab.analysis.looking_back import attention_of, by_lag, distances, gradient_by_lag_of_layers
from seqlab.nn.transformer_language import TransformerLanguage, TransformerLanguageOptions

VOCAB = 7


@pytest.fixture
def network() -> TransformerLanguage:
    torch.manual_seed(0)
    options = TransformerLanguageOptions(hidden_size=8, num_layers=2, num_heads=2, dropout=0.5, init="torch")
    return options.build(VOCAB)


@pytest.fixture
def ids() -> Tensor:
    return torch.randint(VOCAB, (3, 6), generator=torch.Generator().manual_seed(1))


def test_weights_are_those_of_a_window_and_nothing_stays_recorded(network: TransformerLanguage, ids: Tensor) -> None:
    weights = attention_of(network, ids)
    assert weights.shape == (2, 3, 2, 6, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 2, 6))
    assert not weights.triu(1).any()
    assert network.training
    assert all(layer.attention.recorded is None for layer in network.transformer.each_layer())


def test_lags_and_distances_by_hand() -> None:
    weights = torch.zeros(1, 1, 1, 4, 4)
    weights[0, 0, 0] = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 1.0, 0, 0], [0.25, 0.25, 0.25, 0.25]])
    expected = torch.tensor([(1 + 0.5 + 0 + 0.25) / 4, (0.5 + 1 + 0.25) / 3, (0 + 0.25) / 2, 0.25])
    torch.testing.assert_close(by_lag(weights)[0, 0], expected)
    assert float(distances(weights)[0, 0]) == pytest.approx((1 + 1.5) / 2)


def test_gradients_of_what_layers_read_by_hand(network: TransformerLanguage, ids: Tensor) -> None:
    targets = ids.roll(-1, 1)
    norms = gradient_by_lag_of_layers(network, ids, targets)
    assert norms.shape == (2, 6)
    assert all(weight.grad is None for weight in network.parameters())
    network.eval()
    vectors = network.embedding(ids).detach().requires_grad_()
    outputs, _ = network.transformer(vectors, causal=True)
    loss = -network.output(outputs)[:, -1].log_softmax(-1).gather(1, targets[:, -1:]).sum()
    (gradient,) = torch.autograd.grad(loss, vectors)
    torch.testing.assert_close(norms[0].flip(0), gradient.norm(dim=-1).mean(0))
    one_layer_up = gradient_by_lag_of_layers(network, ids, targets)[1]
    assert not torch.allclose(one_layer_up, norms[0])
