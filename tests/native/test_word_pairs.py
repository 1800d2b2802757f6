import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.native import sparse_rows, word_pairs
from seqlab.native.compiler import portable
from seqlab.native.word_pairs import Places, pairs_against_noise

pytestmark = pytest.mark.skipif(portable().library is None, reason=portable().reason or "there is")
WORDS, SHARED = 9, 8


@pytest.fixture(autouse=True)
def shared(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has two threads share whatever they are given."""
    monkeypatch.setattr(word_pairs, "EACH", 1)
    monkeypatch.setattr(sparse_rows, "EACH", 1)


def tables(size: int, scale: float = 0.3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [(scale * torch.randn(WORDS, size, generator=generator)).requires_grad_() for _ in range(2)]


def places_of(count: int, window: int, block: int = 4) -> Places:
    generator = torch.Generator().manual_seed(1)
    blocks = max(1, -(-count // block))
    words = torch.randint(1, WORDS, (count,), generator=generator)
    rows = torch.arange(count) // 7
    reach = torch.randint(1, window + 1, (blocks * block,), generator=generator)
    drawn = torch.randint(1, WORDS, (blocks, SHARED), generator=generator)
    return Places(words, (words + 1) % WORDS, rows, reach, drawn, block, window)


def by_loops(inputs: Tensor, outputs: Tensor, places: Places, share: float, means: bool) -> tuple[Tensor, int]:
    """What the pairs cost, in float64, place by place."""
    v, u = inputs.double(), outputs.double()
    nats, pairs = torch.zeros((), dtype=torch.float64), 0
    for place, (word, head, row, reach) in enumerate(zip(*(one.tolist() for one in places[:4]), strict=False)):
        near = [
            other
            for other in range(max(0, place - reach), min(len(places.words), place + reach + 1))
            if other != place and places.rows[other] == row
        ]
        if not near:
            continue
        noise = u[places.drawn[place // places.block]]
        hidden = v[places.heads[near]].mean(0) if means else v[head]
        true = u[[word]] if means else u[places.words[near]]
        nats = nats + F.softplus(-(true @ hidden)).sum() + share * len(true) * F.softplus(noise @ hidden).sum()
        pairs += len(true)
    return nats, pairs


@pytest.mark.parametrize("means", [False, True])
@pytest.mark.parametrize(("count", "window", "size"), [(1, 2, 3), (4, 1, 8), (30, 3, 5), (29, 20, 100), (33, 2, 33)])
def test_costs_and_gradients_are_those_of_one_pair_at_a_time(means: bool, count: int, window: int, size: int) -> None:
    (inputs, outputs), places = tables(size), places_of(count, window)
    nats, pairs = pairs_against_noise(inputs, outputs, places, 0.25, means)
    wanted, number = by_loops(inputs, outputs, places, 0.25, means)
    assert int(pairs) == number
    torch.testing.assert_close(nats.double(), wanted, rtol=1e-6, atol=1e-6)
    if number:
        found = torch.autograd.grad(3 * nats, (inputs, outputs))
        assert all(one.is_sparse and one.is_coalesced() for one in found)
        exact = torch.autograd.grad(3 * wanted, (inputs, outputs))
        torch.testing.assert_close([one.to_dense() for one in found], [*exact], rtol=1e-5, atol=1e-5)


def test_no_words_are_no_pairs() -> None:
    nats, pairs = pairs_against_noise(*tables(5), places_of(0, 2), 0.25, False)
    assert (float(nats.detach()), int(pairs)) == (0.0, 0)
    nats.backward()


@pytest.mark.parametrize("means", [False, True])
def test_digits_do_not_depend_on_the_number_of_threads(means: bool) -> None:
    places, found = places_of(2000, 5), []
    for threads in (1, 2, 8):
        torch.set_num_threads(threads)
        inputs, outputs = tables(20)
        nats, _ = pairs_against_noise(inputs, outputs, places, 0.25, means)
        nats.backward()
        found.append([nats.detach(), inputs.grad.to_dense(), outputs.grad.to_dense()])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=0)


def test_extremes() -> None:
    """Log-odds in the hundreds cost what they are, and what is no number is seen."""
    places = places_of(30, 3)
    for scale in (1e-6, 30.0):
        inputs, outputs = tables(20, scale)
        nats, _ = pairs_against_noise(inputs, outputs, places, 0.25, False)
        torch.testing.assert_close(nats.double(), by_loops(inputs, outputs, places, 0.25, False)[0], rtol=1e-6, atol=0)
    for means in (False, True):
        inputs, outputs = tables(20)
        with torch.no_grad():
            outputs[int(places.words[3]), 1] = torch.nan
        assert bool(pairs_against_noise(inputs, outputs, places, 0.25, means)[0].isnan())


def test_gradients_are_taken_once() -> None:
    """They are scaled where they lie."""
    nats, _ = pairs_against_noise(*tables(5), places_of(30, 2), 0.25, True)
    nats.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        nats.backward()
