import pytest
import torch

from seqlab.nn.beside_counts import BesideCounts
from seqlab.nn.naive_bayes import NaiveBayesOptions
from seqlab.nn.text_cnn import TextCNNOptions

IDS, LENGTHS = torch.tensor([[3, 4, 5], [5, 4, 0]]), torch.tensor([3, 2])


@pytest.fixture
def both() -> BesideCounts:
    torch.manual_seed(0)
    counts = NaiveBayesOptions().build(6, 2)
    counts.count([[3, 4], [5, 4], [3, 3], [5]], [0, 1, 0, 1])
    return BesideCounts(TextCNNOptions(embedding_size=4, filters=3, dropout=0.0).build(6, 2), counts, 0.25)


def test_log_probabilities_are_mixed_where_nothing_is_trained(both: BesideCounts) -> None:
    both.eval()
    parts = [part(IDS, LENGTHS).log_softmax(-1) for part in (both.network, both.counts)]
    torch.testing.assert_close(both(IDS, LENGTHS), 0.75 * parts[0] + 0.25 * parts[1])


def test_the_network_is_trained_alone(both: BesideCounts) -> None:
    both.train()
    torch.testing.assert_close(both(IDS, LENGTHS), both.network(IDS, LENGTHS))
    both(IDS, LENGTHS).sum().backward()
    assert all(weight.grad is not None for weight in both.network.parameters())


def test_what_is_asked_of_the_network_is_found(both: BesideCounts) -> None:
    assert both.embedding is both.network.embedding
