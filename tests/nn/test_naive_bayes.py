from math import log
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn.naive_bayes import NaiveBayes, NaiveBayesOptions, Presence, fit, log_count_ratios, ngrams_of

GOOD, BAD, FILM, PLOT, NEVER = 1, 2, 3, 4, 5
VOCAB = 6


def counted(
    texts: list[list[int]], labels: list[int], classes: int = 2, vocab: int = VOCAB, **options: Any
) -> NaiveBayes:
    model = NaiveBayesOptions(**options).build(vocab, classes)
    model.count(texts, labels)
    return model


def many(texts: int = 120, classes: int = 3, vocab: int = 20, seed: int = 0) -> tuple[list[list[int]], list[int]]:
    """Texts of 2 to 9 words; a class likes some words more than the others do."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (texts,), generator=generator).tolist()
    likes = torch.rand(classes, vocab, generator=generator) ** 3
    lengths = torch.randint(2, 10, (texts,), generator=generator).tolist()
    rows = zip(labels, lengths, strict=True)
    return [torch.multinomial(likes[c], n, replacement=True, generator=generator).tolist() for c, n in rows], labels


def padded(texts: list[list[int]], more: int = 0) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(text) for text in texts])
    time = int(lengths.max()) + more
    return torch.tensor([text + [3] * (time - len(text)) for text in texts]), lengths


def ratio(model: NaiveBayes, *gram: int) -> int:
    key = 0
    for word in gram:
        key = key * (VOCAB + 1) + word + 1
    return model.keys.tolist().index(key)


def test_ratios_of_three_texts_by_hand() -> None:
    """good film / good plot against bad film: of 2 + 1, 1 + 1, 1 + 1, 0 + 1 and 0 + 1, 1 + 1, 0 + 1, 1 + 1."""
    counts = torch.tensor([[2, 0], [1, 1], [1, 0], [0, 1]])  # good, film, plot, bad
    ratios = log_count_ratios(counts.double(), 1.0)
    by_hand = [log((n / 8) / (m / 6)) for n, m in ((3, 1), (2, 2), (2, 1), (1, 2))]
    torch.testing.assert_close(ratios[:, 0], torch.tensor(by_hand, dtype=torch.float64))
    torch.testing.assert_close(ratios[:, 1], -ratios[:, 0])


def test_ngrams_stay_within_their_text() -> None:
    ids, lengths = torch.tensor([1, 2, 1, 3, 4]), torch.tensor([3, 1, 1])
    keys, texts = ngrams_of(ids, lengths, 3, 9)
    assert list(zip(keys.tolist(), texts.tolist(), strict=True)) == [
        *((2, 0), (3, 0), (2, 0), (4, 1), (5, 2)),
        *((23, 0), (32, 0)),
        (232, 0),
    ]


def test_a_second_occurrence_in_a_text_counts_for_nothing() -> None:
    presence = Presence(torch.tensor([0, 0, 2, 2, 1]), torch.tensor([0, 0, 0, 1, 2]), 4, 3)
    rows = torch.tensor([[1.0], [10.0], [100.0]])
    assert presence.of_texts(rows).tolist() == [[101], [100], [10], [0]]
    assert presence.of_features(torch.tensor([[1.0], [2.0], [4.0], [8.0]])).tolist() == [[1], [4], [3]]


def test_fit_is_the_minimum() -> None:
    """The gradient of the loss in w and b, by autograd, is zero."""
    texts, labels = many()
    ids, lengths = torch.tensor([w for text in texts for w in text]), torch.tensor([len(text) for text in texts])
    keys, places = ngrams_of(ids, lengths, 2, 20)
    distinct, features = keys.unique(return_inverse=True)
    presence = Presence(features, places, len(texts), len(distinct))
    wanted = torch.tensor(labels)
    ratios = log_count_ratios(presence.of_features(F.one_hot(wanted, 3).double()), 1.0)
    found = fit(presence, ratios, wanted, 0.7)
    there = torch.zeros(len(texts), len(distinct), dtype=torch.float64)
    there[places, features] = 1
    w, b = found.weights.clone().requires_grad_(), found.bias.clone().requires_grad_()
    y = 2 * F.one_hot(wanted, 3) - 1

    def loss(w: Tensor, b: Tensor) -> Tensor:
        logits = there @ (ratios * w) + b
        return (1 - y * logits).clamp(min=0).square().sum() + 0.35 * (w.square().sum() + b.square().sum())

    at_minimum = loss(w, b)
    at_minimum.backward()
    assert at_minimum < 0.3 * loss(torch.zeros_like(w), torch.zeros_like(b))
    assert torch.cat([w.grad.flatten(), b.grad]).abs().max() < 0.1
    for seed in range(5):
        noise = 0.05 * torch.randn(w.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        assert loss(w + noise, b) > at_minimum


def test_two_classes_mirror_each_other() -> None:
    model = counted([[GOOD, FILM], [GOOD, PLOT], [BAD, FILM]], [0, 0, 1])
    torch.testing.assert_close(model.weights[:, 0], -model.weights[:, 1], rtol=0, atol=1e-5)
    logits = model(*padded([[GOOD], [BAD], [GOOD, FILM], [NEVER]]))
    assert logits.argmax(1).tolist()[:3] == [0, 1, 0]
    torch.testing.assert_close(logits[3], model.bias, rtol=0, atol=1e-6)


def test_beta_of_zero_weighs_ratios_alike() -> None:
    texts, labels = [[GOOD, FILM], [GOOD, PLOT], [BAD, FILM]], [0, 0, 1]
    model = counted(texts, labels, beta=0.0, ngrams=1)
    weights = model.weights[:, 0]
    good, bad = ratio(model, GOOD), ratio(model, BAD)
    torch.testing.assert_close(weights[good] / weights[bad], torch.tensor(log(3 / 1 * 6 / 8) / log(1 / 2 * 6 / 8)))
    one = counted(texts, labels, beta=1.0, ngrams=1).weights
    half = counted(texts, labels, beta=0.5, ngrams=1).weights
    torch.testing.assert_close(half, (one + model.weights) / 2)


def test_padding_and_company_change_nothing() -> None:
    texts, labels = many()
    model = counted(texts, labels, 3, 20).double()
    others = many(8, seed=1)[0]
    ids, lengths = padded(others)
    logits = model(ids, lengths)
    assert logits.shape == (8, 3)
    torch.testing.assert_close(model(*padded(others, 4)), logits, rtol=0, atol=1e-12)
    for row, text in enumerate(others):
        torch.testing.assert_close(model(*padded([text])), logits[row : row + 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "changed", [{"ngrams": 1}, {"ngrams": 3}, {"smoothing": 0.5}, {"beta": 0.5}, {"l2": 5.0}], ids=str
)
def test_every_option_changes_the_logits(changed: dict[str, Any]) -> None:
    texts, labels = many()
    ids, lengths = padded(many(8, seed=1)[0])
    same = counted(texts, labels, 3, 20, beta=1.0)(ids, lengths)
    assert not torch.allclose(counted(texts, labels, 3, 20, **{"beta": 1.0, **changed})(ids, lengths), same)


def test_probabilities_are_calibrated() -> None:
    """On other texts no temperature of the logits would have been much better than the one found."""
    texts, labels = many(2000, seed=2)
    model = counted(texts[:1500], labels[:1500], 3, 20)
    logits, wanted = model(*padded(texts[1500:])).detach(), torch.tensor(labels[1500:])
    nats = F.cross_entropy(logits, wanted)
    assert nats < 0.9 * log(3)
    for temperature in (0.25, 0.5, 2, 4):
        assert nats < F.cross_entropy(logits / temperature, wanted)


def test_counting_again_forgets_and_repeats() -> None:
    texts, labels = many()
    model = counted([[0, 1], [2]], [0, 1], 3, 20)
    model.count(texts, labels)
    fresh = counted(texts, labels, 3, 20)
    for name, buffer in fresh.named_buffers():
        torch.testing.assert_close(model.get_buffer(name), buffer, rtol=0, atol=0)


def test_gradients_reach_the_parameter_of_nothing() -> None:
    model = counted(*many(), 3, 20)
    F.cross_entropy(model(*padded([[1, 2]])), torch.tensor([0])).backward()
    assert model.nothing.grad is not None


def test_state_dict_round_trip() -> None:
    texts, labels = many()
    model, other = counted(texts, labels, 3, 20), NaiveBayesOptions().build(20, 3)
    ids, lengths = padded(texts)
    assert other(ids, lengths).tolist() == [[0, 0, 0]] * len(texts)
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(ids, lengths), model(ids, lengths), rtol=0, atol=0)


def test_ngrams_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="ngrams 5 is too high for a vocabulary of 10,000; it can be 4 at most"):
        NaiveBayesOptions(ngrams=5).build(10_000, 2)
    with pytest.raises(UserError, match="beta 2 must be at most 1"):
        NaiveBayesOptions(beta=2)
