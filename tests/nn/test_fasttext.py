from typing import Any

import pytest
import torch

from seqlab.errors import UserError
from seqlab.native.compiler import portable
from seqlab.nn import skipgram
from seqlab.nn.fasttext import FastText, FastTextOptions, grams_of, hashes

WORDS = ["<unk>", "cat", "cats", "a", " ", "straße"]
COUNTS = torch.tensor([0, 40, 30, 20, 0, 5])


def network(**options: Any) -> FastText:
    torch.manual_seed(3)
    made = FastTextOptions(**{"embedding_size": 4, "buckets": 30, "subsample": 0.0, **options}).build(COUNTS, WORDS)
    torch.nn.init.normal_(made.embedding.weight)
    torch.nn.init.normal_(made.context_embedding.weight)
    return made


def text() -> torch.Tensor:
    return torch.tensor([1, 2, 3, 5])[torch.randint(0, 4, (2, 60), generator=torch.Generator().manual_seed(5))]


def test_parts_are_those_of_the_paper() -> None:
    """where, with n = 3: <wh, whe, her, ere, re>."""
    assert grams_of("where", 3, 3) == ["<wh", "whe", "her", "ere", "re>"]
    assert grams_of("a", 3, 6) == ["<a>"]
    assert grams_of("aa", 1, 2) == ["a", "<a", "aa", "a>"]
    assert grams_of("aa", 5, 6) == []


def test_hashes_are_fnv_1a() -> None:
    assert hashes(["", "a", "foobar"]).tolist() == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]
    assert hashes([]).tolist() == []
    signed = 0x811C9DC5
    for byte in "ß".encode():  # a byte above 127 is negative in fastText's code
        signed = ((signed ^ (byte | 0xFFFFFF00)) * 0x01000193) % 2**32
    assert hashes(["ß"]).tolist() == [signed]


def test_a_word_is_the_mean_of_itself_and_its_parts() -> None:
    made = network(min_gram=3, max_gram=4)
    rows = [1, *(len(WORDS) + int(one) % made.buckets for one in hashes(["<ca", "cat", "at>", "<cat", "cat>"]))]
    torch.testing.assert_close(made.vectors()[1], made.embedding.weight.detach()[rows].mean(0))
    torch.testing.assert_close(made.vectors()[0], made.embedding.weight.detach()[0])
    torch.testing.assert_close(
        made.centers(torch.tensor([[1, 5], [5, 0]])), made.inputs()[torch.tensor([[1, 5], [5, 0]])]
    )


def test_there_are_no_more_buckets_than_parts() -> None:
    parts = {gram for word in WORDS for gram in grams_of(word, 3, 4)}
    assert network(min_gram=3, max_gram=4, buckets=10_000).buckets == len(parts)
    assert network(buckets=7).embedding.num_embeddings == len(WORDS) + 7


def test_parts_are_found_behind_the_words_of_another_network() -> None:
    made, other = network(buckets=20), network(buckets=11)
    own, there = made.rows_behind(11)
    assert torch.equal(torch.sort(own.unique()).values, torch.sort(made.grams(WORDS).rows.unique()).values)
    rows = other.grams(["cat"]).rows
    assert {*rows.tolist()} <= {*(there + len(WORDS)).tolist()}


def test_an_unseen_word_is_the_mean_of_its_parts() -> None:
    made = network(min_gram=3, max_gram=3)
    rows = [len(WORDS) + int(one) % made.buckets for one in hashes(["<at", "at>"])]
    found = made.unseen(["at", "", "cat"])
    torch.testing.assert_close(found[0], made.embedding.weight.detach()[rows].mean(0))
    assert found[1].tolist() == [0.0] * 4
    assert found.shape == (3, 4)


@pytest.mark.parametrize("objective", ["negative", "full"])
def test_the_gradient_reaches_all_parts(objective: str) -> None:
    made = network(objective=objective).double()
    torch.manual_seed(0)
    nats, _ = made.train().nats(text())
    nats.backward()
    gradient = made.embedding.weight.grad
    assert gradient is not None
    assert gradient.is_sparse
    found, step = gradient.to_dense(), 1e-6
    row = int(made.known.rows[made.known.ends[0]])  # the first part of "cat"
    losses = []
    for sign in (1, -1):
        with torch.no_grad():
            made.embedding.weight[row, 2] += sign * step
        torch.manual_seed(0)
        losses.append(float(made.nats(text())[0].detach()))
        with torch.no_grad():
            made.embedding.weight[row, 2] -= sign * step
    assert float(found[row, 2]) == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-5)


@pytest.mark.skipif(portable().library is None, reason=portable().reason or "there is")
def test_compiled_code_gives_the_loss_and_the_gradient_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    called, apply = [], skipgram.pairs_against_noise
    monkeypatch.setattr(skipgram, "pairs_against_noise", lambda *given: (called.append(1), apply(*given))[1])
    found = []
    for dtype in (torch.float32, torch.float64):
        made = network().to(dtype).train()
        torch.manual_seed(0)
        nats, pairs = made.nats(text())
        nats.backward()
        gradients = made.embedding.weight.grad, made.context_embedding.weight.grad
        found.append((int(pairs), nats.double(), *(one.to_dense().double() for one in gradients)))
    assert called == [1]
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-4)


def test_lengths_that_fit_nothing_are_refused() -> None:
    with pytest.raises(UserError, match=r"max_gram 2 is below min_gram 3; give --model\.max_gram 3 or more"):
        FastTextOptions(max_gram=2)
