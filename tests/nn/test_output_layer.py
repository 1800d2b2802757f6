from typing import Any

import pytest
import torch
from torch import nn

from seqlab.errors import UserError
from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.output_layer import AdaptiveSoftmax, FullSoftmax, clusters_of
from seqlab.nn.transformer_language import TransformerLanguageOptions
from seqlab.nn.window_language import WindowLanguageOptions

SIZE, VOCAB, CUTOFFS = 32, 50, [10, 30]


@pytest.fixture
def adaptive() -> AdaptiveSoftmax:
    torch.manual_seed(1)
    return AdaptiveSoftmax(SIZE, VOCAB, CUTOFFS)


def test_it_is_that_of_torch(adaptive: AdaptiveSoftmax) -> None:
    theirs = nn.AdaptiveLogSoftmaxWithLoss(SIZE, VOCAB, CUTOFFS, head_bias=True)
    theirs.head.load_state_dict(adaptive.head.state_dict())
    for own, projection, pair in zip(adaptive.tails, adaptive.projections, theirs.tail, strict=True):
        nn.init.zeros_(own.bias)  # theirs has none there
        pair[0].weight, pair[1].weight = projection.weight, own.weight
    features, targets = torch.randn(40, SIZE), torch.randint(VOCAB, (40,))
    torch.testing.assert_close(adaptive(features), theirs.log_prob(features))
    torch.testing.assert_close(adaptive.nats(features, targets) / 40, theirs(features, targets).loss)


def test_the_cost_is_that_of_the_probabilities(adaptive: AdaptiveSoftmax) -> None:
    adaptive.double()
    features, targets = torch.randn(3, 7, SIZE, dtype=torch.float64), torch.randint(VOCAB, (3, 7))
    log_probs = adaptive(features)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(3, 7, dtype=torch.float64))
    told = -log_probs.gather(-1, targets.unsqueeze(-1)).sum()
    torch.testing.assert_close(adaptive.nats(features.flatten(0, 1), targets.flatten()), told)
    assert torch.autograd.gradcheck(lambda rows: adaptive.nats(rows, targets[0]), features[0].requires_grad_())


def test_clusters_without_a_target_learn_nothing(adaptive: AdaptiveSoftmax) -> None:
    adaptive.nats(torch.randn(4, SIZE), torch.tensor([0, 9, 12, 3])).backward()
    assert adaptive.tails[0].weight.grad.abs().sum() > 0
    assert torch.equal(adaptive.tails[1].weight.grad, torch.zeros_like(adaptive.tails[1].weight))


def test_fewer_operations_than_the_full_one(adaptive: AdaptiveSoftmax) -> None:
    assert adaptive.flops() == 2 * (32 * 12 + 32 * 8 + 8 * 20 + 32 * 2 + 2 * 20)
    assert FullSoftmax(SIZE, VOCAB).flops() == 2 * SIZE * VOCAB


@pytest.mark.parametrize(("size", "cutoffs"), [(10_001, [1250, 5000]), (7, [1, 3]), (2, [1])])
def test_clusters_of_a_vocabulary(size: int, cutoffs: list[int]) -> None:
    assert clusters_of(size) == cutoffs


@pytest.mark.parametrize(
    "options",
    [
        LanguageOptions(softmax="adaptive", hidden_size=8, embedding_size=8),
        LanguageOptions(softmax="adaptive", hidden_size=8, backward=True, counts=0.3, order=2),
        TransformerLanguageOptions(softmax="adaptive", hidden_size=8, num_heads=2, num_layers=1, tied=False),
        WindowLanguageOptions(softmax="adaptive", hidden_size=8, cutoffs=[3]),
    ],
    ids=["gru", "beside n-grams", "transformer", "mlp"],
)
def test_every_language_network_can_have_one(options: Any) -> None:
    network = options.build(20)
    ids = torch.randint(20, (2, 6))
    nats, tokens, _ = network.nats(ids[:, :-1], ids[:, 1:])
    nats.backward()
    assert tokens == 10
    if not options.counts:
        network.eval()
        each, _ = network.token_nats(ids[:, :-1], ids[:, 1:])
        torch.testing.assert_close(network.nats(ids[:, :-1], ids[:, 1:])[0], each.sum())
        assert network.flops()["output layer"] == network.output.flops()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cutoffs": [3]}, "cutoffs [3] are those of clusters; give --model.softmax adaptive too"),
        ({"softmax": "adaptive", "cutoffs": [5, 5]}, "cutoffs [5, 5] must rise, such as [2000, 10000]"),
        (
            {"softmax": "adaptive", "cutoffs": [5, 20]},
            "the last of cutoffs [5, 20] must be below the size of the vocabulary, 20 tokens",
        ),
        (
            {"softmax": "adaptive", "tied": True, "embedding_size": 256},
            "softmax adaptive has no matrix that could be an embedding of all tokens; give --model.tied false",
        ),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refused:
        LanguageOptions(**options).build(20)
    assert str(refused.value) == message
