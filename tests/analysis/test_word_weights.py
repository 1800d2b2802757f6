import pytest
import torch

from seqlab.analysis.word_weights import word_weights
from seqlab.nn.bag import BagOptions
from seqlab.nn.naive_bayes import NaiveBayesOptions
from seqlab.nn.text_classifier import RecurrentClassifierOptions

IDS, LENGTHS = torch.tensor([[3, 1, 4, 1]]), torch.tensor([4])


def test_by_the_pooling_of_a_recurrence() -> None:
    network = RecurrentClassifierOptions(hidden_size=5, embedding_size=4, pooling="attention").build(6, 3)
    weights = word_weights(network, IDS, LENGTHS)
    torch.testing.assert_close(weights, network.eval().weights(IDS, LENGTHS)[0])
    assert float(weights.sum()) == pytest.approx(1)


def test_by_gradient_times_vector() -> None:
    network = BagOptions(embedding_size=2, ngrams=1, dropout=0.0).build(5, 2)
    with torch.no_grad():
        network.embedding.weight.copy_(torch.tensor([[0.0, 0], [1, 0], [0, 0], [0, 2], [3, 0]]))
        network.output.weight.copy_(torch.tensor([[1.0, 1], [0, 0]]))
        network.output.bias.zero_()
    shares = torch.tensor([2.0, 1, 3, 1])  # of each word alone; a word that stands there twice has twice the slope
    expected = shares * torch.tensor([1.0, 2, 1, 2])
    torch.testing.assert_close(word_weights(network, IDS, LENGTHS), expected / expected.sum())
    assert network.embedding.weight.grad is None
    assert network.training


def test_counts_say_nothing() -> None:
    assert word_weights(NaiveBayesOptions().build(5, 2), IDS, LENGTHS).tolist() == [0, 0, 0, 0]
