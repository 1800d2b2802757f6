import pytest
import torch
from torch import nn

from seqlab.errors import UserError
from seqlab.nn.classifier import ClassifierOptions, WordDropout, begin


class Network(nn.Module):
    """A table of words, one of something else, and an output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.bigrams, self.output = nn.Embedding(500, 50), nn.Embedding(500, 50), nn.Linear(50, 3)


def test_embeddings_begin_with_the_deviation_asked_for() -> None:
    torch.manual_seed(0)
    made = Network()
    begin(made, ClassifierOptions(embedding_std=0.5))
    for table in (made.embedding, made.bigrams):
        assert float(table.weight.detach().std()) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_are_the_words_alone(frozen: bool) -> None:
    made = Network()
    begin(made, ClassifierOptions(vectors="glove.txt", freeze_vectors=frozen))
    assert made.embedding.weight.requires_grad != frozen
    assert made.bigrams.weight.requires_grad


def test_only_networks_can_be_built() -> None:
    with pytest.raises(NotImplementedError):
        ClassifierOptions().build(5, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dropout": 1}, "dropout 1 must be at least 0 and below 1"),
        ({"embedding_size": 0}, "embedding_size 0 must be a whole number of at least 1"),
        ({"threshold": 0.0}, "threshold 0.0 must be above 0 and below 1"),
    ],
)
def test_values_out_of_bounds(options: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=f"^{words}"):
        ClassifierOptions(**options)  # type: ignore[arg-type]


def test_outside_training_every_word_is_read() -> None:
    ids = torch.full((9, 9), 7)
    assert torch.equal(WordDropout(0.9).eval()(ids), ids)
    assert torch.equal(WordDropout(0.0).train()(ids), ids)


def test_word_dropout_reads_a_share_of_the_words_as_unknown() -> None:
    torch.manual_seed(0)
    ids = WordDropout(0.25).train()(torch.full((100, 100), 7))
    assert set(ids.flatten().tolist()) == {0, 7}
    assert (ids == 0).double().mean() == pytest.approx(0.25, abs=0.02)
