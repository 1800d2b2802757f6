from math import log
from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn.bag import Bag, BagOptions, hashed

VOCAB, CLASSES = 11, 3


def network(seed: int = 0, **options: Any) -> Bag:
    torch.manual_seed(seed)
    given = {"embedding_size": 5, "embedding_std": 1.0, "buckets": 50, **options}
    return BagOptions(**given).build(VOCAB, CLASSES).double().eval()


def texts(batch: int = 8, time: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, time + 1, (batch,), generator=generator)
    lengths[0] = time
    return torch.randint(VOCAB, (batch, time), generator=generator), lengths


def test_hash_by_hand() -> None:
    ids = torch.tensor([[4, 0, 9]])
    assert hashed(ids, 2, 1000).tolist() == [[(5 * 116_049_371 + 1) % (2**31 - 1) % 1000, (116_049_371 + 10) % 1000]]
    assert hashed(ids, 3, 7).tolist() == [[((5 * 116_049_371 + 1) * 116_049_371 + 10) % (2**31 - 1) % 7]]
    assert hashed(ids, 4, 7).shape == (1, 0)
    large = torch.tensor([[2**31, 2**31]])
    assert hashed(large, 2, 2**31).tolist() == [[((2**31 + 1) * 116_049_371 + 2**31 + 1) % (2**31 - 1)]]


def test_order_matters_to_the_hash() -> None:
    forth, back = hashed(torch.tensor([[3, 5]]), 2, 100_000), hashed(torch.tensor([[5, 3]]), 2, 100_000)
    assert forth.tolist() != back.tolist()


def test_hash_spreads_bigrams_evenly() -> None:
    first, second = torch.meshgrid(torch.arange(300), torch.arange(300), indexing="ij")
    counts = hashed(torch.stack([first.flatten(), second.flatten()], 1), 2, 1000).flatten().bincount(minlength=1000)
    assert counts.min() > 45
    assert counts.max() < 150


def test_logits_by_hand() -> None:
    made = network(embedding_size=1, buckets=10)
    with torch.no_grad():
        made.embedding.weight.copy_(torch.arange(11.0).unsqueeze(1))
        made.ngrams.weight.fill_(100)
        made.output.weight.copy_(torch.tensor([[1.0], [2.0], [0.0]]))
        made.output.bias.copy_(torch.tensor([0.0, 0.0, 5.0]))
    logits = made(torch.tensor([[1, 2, 6], [7, 9, 9]]), torch.tensor([3, 1]))
    mean = (1 + 2 + 6 + 100 + 100) / 5
    torch.testing.assert_close(
        logits, torch.tensor([[mean, 2 * mean, 5], [7, 14, 5]], dtype=torch.float64), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_padding_and_company_change_nothing(ngrams: int) -> None:
    made = network(ngrams=ngrams)
    ids, lengths = texts()
    logits = made(ids, lengths)
    more = torch.cat([ids, torch.full((8, 4), 3)], 1)
    torch.testing.assert_close(made(more, lengths), logits, rtol=0, atol=1e-12)
    for row, length in enumerate(lengths.tolist()):
        alone = made(ids[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(alone, logits[row : row + 1], rtol=0, atol=1e-12)


def test_words_alone_have_no_order_and_bigrams_have_one() -> None:
    ids, lengths = torch.tensor([[1, 2, 3]]), torch.tensor([3])
    for ngrams, same in ((1, True), (2, False)):
        made = network(ngrams=ngrams)
        assert torch.allclose(made(ids, lengths), made(ids.flip(1), lengths)) == same


@pytest.mark.parametrize("changed", [{"ngrams": 3}, {"ngrams": 1}, {"buckets": 3}, {"init": "xavier"}], ids=str)
def test_every_option_changes_the_logits(changed: dict[str, Any]) -> None:
    ids, lengths = texts()
    assert not torch.allclose(network(**changed)(ids, lengths), network()(ids, lengths))


@pytest.mark.parametrize("share", [{"dropout": 0.5}, {"word_dropout": 0.5}], ids=str)
def test_dropout_acts_while_training_alone(share: dict[str, float]) -> None:
    ids, lengths = texts()
    made = network(**{"dropout": 0.0, **share})
    torch.testing.assert_close(made(ids, lengths), made(ids, lengths), rtol=0, atol=0)
    made.train()
    assert not torch.allclose(made(ids, lengths), made(ids, lengths))


def test_frozen_vectors_of_words_leave_ngrams_free() -> None:
    made = network(vectors="glove.txt", freeze_vectors=True)
    made(*texts()).sum().backward()
    assert made.embedding.weight.grad is None
    assert made.ngrams.weight.grad is not None


def test_training_begins_with_ratios() -> None:
    """good film / good plot against bad film: texts of each class with a word, and 1 more."""
    good, bad, film, plot = 1, 2, 3, 4
    made = network(ratios=True, dropout=0.0, buckets=5000)
    made.count([[good, film, good], [good, plot], [bad, film]], [0, 0, 1])
    p, q = 11 + 4, 11 + 2  # 1 for each word of the vocabulary, 4 and 2 words in texts
    for word, (n, m) in {good: (3, 1), film: (2, 2), plot: (2, 1), bad: (1, 2)}.items():
        expected = torch.tensor([log(n / p * q / m), log(m / q * p / n)], dtype=torch.float64)
        torch.testing.assert_close(made.embedding.weight[word, :2], expected, rtol=0, atol=1e-5)
    assert made.embedding.weight[7, :3].tolist() == [0, 0, 0]
    buckets = [int(hashed(torch.tensor([pair]), 2, 5000)) for pair in ([good, film], [film, good], [bad, film])]
    assert len(set(buckets)) == 3
    ratios = made.ngrams.weight[buckets, 0]
    assert ratios[0] == ratios[1] > 0 > ratios[2]
    assert made.ngrams.weight[int(hashed(torch.tensor([[good, bad]]), 2, 5000)), 0] == 0
    assert made.output.weight[:, :3].tolist() == [[8, 0, 0], [0, 8, 0], [0, 0, 8]]
    logits = made(torch.tensor([[good, plot], [bad, film]]), torch.tensor([2, 2]))
    assert logits.argmax(1).tolist() == [0, 1]


def test_count_does_nothing_without_ratios() -> None:
    made, other = network(), network()
    made.count([[1, 2]], [0])
    for name, value in made.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=0, atol=0)


def test_ratios_need_a_unit_a_class() -> None:
    with pytest.raises(UserError, match=r"ratios true needs an embedding_size \(2\) of at least one for each of the 3"):
        network(ratios=True, embedding_size=2)


def test_state_dict_round_trip() -> None:
    ids, lengths = texts()
    made, other = network(), network(seed=1)
    other.load_state_dict(made.state_dict())
    torch.testing.assert_close(made(ids, lengths), other(ids, lengths), rtol=0, atol=0)


def test_options_are_checked() -> None:
    with pytest.raises(UserError, match="ngrams 0 must be a whole number of at least 1"):
        BagOptions(ngrams=0)
    with pytest.raises(UserError, match="buckets 0 must be a whole number of at least 1"):
        BagOptions(buckets=0)
