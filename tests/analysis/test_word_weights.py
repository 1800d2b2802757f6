import pytest
import torch

from seqlab.analysis.word_weights import word_weights
from seqlab.nn.bag import BagOptions
from seqlab.nn.naive_bayes import NaiveBayesOptions
from seqlab.nn.pooling import PoolingKind
from seqlab.nn.text_classifier import RecurrentClassifierOptions

IDS, LENGTHS = torch.tensor([[3, 1, 4, 1]]), torch.tensor([4])


@pytest.mark.parametrize("pooling", ["max", "attention"])
def test_by_a_pooling_that_selects_words(pooling: PoolingKind) -> None:
    network = RecurrentClassifierOptions(hidden_size=5, embedding_size=4, pooling=pooling).build(6, 3)
    weights = word_weights(network, IDS, LENGTHS)
    torch.testing.assert_close(weights, network.eval().weights(IDS, LENGTHS)[0])
    assert float(weights.sum()) == pytest.approx(1)


def test_by_gradient_times_vector() -> None:
    network = BagOptions(embedding_size=2, ngrams=1, dropout=0.0).build(5, 2)
    with torch.no_grad():
        network.embedding.weight.copy_(torch.tensor([[0.0, 0], [1, 0], [0, 0], [0, 2], [3, 0]]))
        network.output.weight.copy_(torch.tensor([[1.0, 1], [0, 0]]))
        network.output.bias.zero_()
    expected = torch.tensor([2.0, 1, 3, 1])
    torch.testing.assert_close(word_weights(network, IDS, LENGTHS), expected / expected.sum())
    assert network.embedding.weight.grad is None
    assert network.training


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_by_gradient_where_the_pooling_is_blind(pooling: PoolingKind) -> None:
    """Of two places of a word each has its own slope, and the change of the logit is their sum."""
    torch.manual_seed(0)
    options = RecurrentClassifierOptions(hidden_size=5, embedding_size=4, pooling=pooling, bidirectional=False)
    network = options.build(6, 3).double()
    weights = word_weights(network, IDS, LENGTHS)
    assert len(set(weights.tolist())) == 4
    assert float(weights.sum()) == pytest.approx(1)
    logits = network.eval()(IDS, LENGTHS)[0]
    (slope,) = torch.autograd.grad(logits[logits.argmax()], network.embedding.weight)
    alone = (slope[[3, 4]] * network.embedding.weight[[3, 4]]).sum(-1).abs().detach()
    torch.testing.assert_close(weights[0] / weights[2], alone[0] / alone[1])
    assert network.embedding.weight.grad is None
    assert not network.embedding._forward_hooks


def test_counts_say_nothing() -> None:
    assert word_weights(NaiveBayesOptions().build(5, 2), IDS, LENGTHS).tolist() == [0, 0, 0, 0]
