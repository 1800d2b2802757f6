from itertools import product
from math import log
from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.native.compiler import portable
from seqlab.nn import skipgram
from seqlab.nn.cbow import CBOWOptions
from seqlab.nn.skipgram import SHARED, SkipGram, SkipGramOptions
from seqlab.nn.word_blocks import BLOCK, in_blocks, kept_words
from seqlab.nn.word_vectors import QUANTILES

COUNTS = torch.tensor([0, 40, 30, 20, 10, 5, 3])
KINDS = {"skipgram": SkipGramOptions, "cbow": CBOWOptions}


def network(kind: str = "skipgram", **options: Any) -> SkipGram:
    torch.manual_seed(3)
    made = KINDS[kind](**{"embedding_size": 4, "window": 2, "subsample": 0.0, **options}).build(COUNTS).double()
    torch.nn.init.normal_(made.embedding.weight)
    torch.nn.init.normal_(made.context_embedding.weight)
    return made


def text(words: int = 40, rows: int = 2) -> Tensor:
    return torch.randint(1, len(COUNTS), (rows, words), generator=torch.Generator().manual_seed(5))


def pairs_of(rows: Tensor, window: int) -> list[tuple[int, int, int]]:
    """Center, word around it and distance, by loops."""
    found = []
    for row in rows.tolist():
        for (i, center), (j, other) in product(enumerate(row), enumerate(row)):
            if 0 < abs(i - j) <= window:
                found.append((center, other, abs(i - j)))
    return found


def test_blocks_hold_each_pair_of_a_row_once() -> None:
    rows = text()
    blocks = in_blocks(*kept_words(rows, torch.ones_like(rows, dtype=torch.bool)), 2)
    assert blocks.centers.shape == (3, BLOCK)  # 80 words
    there = blocks.distance > 0
    first = blocks.centers.unsqueeze(2).expand_as(there)[there]
    second = blocks.around.unsqueeze(1).expand_as(there)[there]
    found = zip(first.tolist(), second.tolist(), blocks.distance[there].tolist(), strict=True)
    assert sorted(found) == sorted(pairs_of(rows, 2))


def test_words_left_out_bring_their_neighbours_together() -> None:
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    words, rows = kept_words(ids, torch.tensor([[True, False, True], [False, True, True]]))
    assert words.tolist() == [1, 3, 5, 6]
    assert rows.tolist() == [0, 0, 1, 1]
    blocks = in_blocks(words, rows, 1)
    assert blocks.distance[0, :4].sum(1).tolist() == [1, 1, 1, 1]
    assert blocks.distance[0, 0, 2] == 1  # 1 and 3 stand beside each other now, 3 and 5 are of different rows


def test_no_words_are_no_pairs() -> None:
    made = network().train()
    nats, pairs = made.nats(torch.zeros(2, 5, dtype=torch.int64))
    assert (float(nats.detach()), int(pairs)) == (0.0, 0)


def by_hand(made: SkipGram, rows: Tensor, noise: Tensor) -> Tensor:
    """The loss of skip-gram with whole windows, one pair at a time."""
    v, u = made.inputs(), made.outputs()
    total = torch.zeros((), dtype=torch.float64)
    for center, other, _ in pairs_of(rows, made.window):
        total = total - torch.sigmoid(v[center] @ u[other]).log()
        against = torch.stack([-torch.sigmoid(-v[center] @ u[word]).log() for word in noise])
        total = total + made.negatives * against.mean()
    return total


@pytest.mark.parametrize("table", ["embedding", "context_embedding"])
def test_the_loss_and_its_gradient_are_those_of_one_pair_at_a_time(table: str) -> None:
    made, rows = network(), text(10, 2)
    blocks = made.blocks_of(rows, None)
    drawn = torch.randint(1, 7, (1, SHARED), generator=torch.Generator().manual_seed(1))
    weight = getattr(made, table).weight
    nats, pairs = made.cost(blocks, blocks.distance > 0, drawn)
    (found,) = torch.autograd.grad(nats, weight)
    wanted = by_hand(made, rows, drawn[0])
    assert int(pairs) == len(pairs_of(rows, 2))
    torch.testing.assert_close(nats, wanted)
    assert found.is_sparse
    torch.testing.assert_close(found.to_dense(), torch.autograd.grad(wanted, weight)[0])


def test_the_gradient_of_one_pair_is_that_of_the_paper() -> None:
    """(sigmoid(v . u) - 1) u + k (sigmoid(v . n) n)."""
    made = network(window=1, negatives=3)
    blocks = in_blocks(torch.tensor([1, 2]), torch.tensor([0, 0]), 1)
    near = (blocks.distance > 0) & (blocks.centers == 1).unsqueeze(2)
    nats, _ = made.cost(blocks, near, torch.full((1, SHARED), 4))
    (found,) = torch.autograd.grad(nats, made.embedding.weight)
    v, u, n = made.inputs()[1], made.outputs()[2], made.outputs()[4]
    wanted = (torch.sigmoid(v @ u) - 1) * u + 3 * torch.sigmoid(v @ n) * n
    torch.testing.assert_close(found.to_dense()[1], wanted)


def test_the_full_softmax_is_that_of_all_words() -> None:
    made, rows = network(objective="full"), text(12, 1)
    blocks = made.blocks_of(rows, None)
    nats, pairs = made.cost(blocks, blocks.distance > 0, None)
    shares = (made.inputs() @ made.outputs().t()).log_softmax(1)
    wanted = -sum(shares[center, other] for center, other, _ in pairs_of(rows, 2))
    torch.testing.assert_close(nats, wanted)
    assert int(pairs) == len(pairs_of(rows, 2))


def test_cbow_is_the_mean_of_those_around() -> None:
    made, rows = network("cbow"), text(9, 1)
    blocks = made.blocks_of(rows, None)
    drawn = torch.full((1, SHARED), 3)
    nats, places = made.cost(blocks, blocks.distance > 0, drawn)
    row, v, u = rows[0].tolist(), made.inputs(), made.outputs()
    total = torch.zeros((), dtype=torch.float64)
    for place, center in enumerate(row):
        around = row[max(0, place - 2) : place] + row[place + 1 : place + 3]
        hidden = v[around].mean(0)
        total = total - torch.sigmoid(hidden @ u[center]).log() - 5 * torch.sigmoid(-hidden @ u[3]).log()
    assert int(places) == 9
    torch.testing.assert_close(nats, total)
    (found,) = torch.autograd.grad(nats, made.embedding.weight)
    torch.testing.assert_close(found.to_dense(), torch.autograd.grad(total, made.embedding.weight)[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.skipif(portable().library is None, reason=portable().reason or "there is")
def test_compiled_code_gives_the_loss_and_the_gradient_of_torch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called, apply = [], skipgram.pairs_against_noise
    monkeypatch.setattr(skipgram, "pairs_against_noise", lambda *given: (called.append(1), apply(*given))[1])
    found = []
    for dtype in (torch.float32, torch.float64):
        made = network(kind, subsample=0.1, window=4).to(dtype).train()
        made.kept = made.kept.float()
        torch.manual_seed(0)
        nats, pairs = made.nats(text(200, 3))
        nats.backward()
        gradients = made.embedding.weight.grad, made.context_embedding.weight.grad
        found.append((int(pairs), nats.double(), *(one.to_dense().double() for one in gradients)))
    assert called == [1]
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-4)


def test_windows_reach_as_far_as_is_drawn() -> None:
    made = network(window=4).train()
    torch.manual_seed(0)
    _, pairs = made.nats(text(2000, 1))
    assert int(pairs) / 2000 == pytest.approx(2 * (1 + 2 + 3 + 4) / 4, rel=0.05)


def test_frequent_words_are_kept_as_often_as_said() -> None:
    made = network(subsample=0.01)
    share = 40 / 108
    assert float(made.kept[1]) == pytest.approx((0.01 / share) ** 0.5 + 0.01 / share)
    assert float(made.kept[0]) == 0.0
    ids = torch.ones(1, 20_000, dtype=torch.int64)
    torch.manual_seed(0)
    kept = int((made.train().blocks_of(ids, None).distance.sum(2) > 0).sum())
    assert kept / 20_000 == pytest.approx(float(made.kept[1]), rel=0.05)
    assert int((made.eval().blocks_of(ids, None).distance.sum(2) > 0).sum()) == 20_000
    assert network(subsample=0.0).kept.tolist() == [0, 1, 1, 1, 1, 1, 1]


def test_noise_is_drawn_by_powers_of_counts() -> None:
    made = network(noise_power=0.5)
    mass = COUNTS.double().sqrt()
    drawn = made.drawn(torch.rand(50_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    shares = torch.bincount(drawn, minlength=7) / 50_000
    torch.testing.assert_close(shares.double(), mass / mass.sum(), atol=0.01, rtol=0)
    assert made.drawn(torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist() == [1, 6]


@pytest.mark.parametrize("kind", KINDS)
def test_a_held_out_part_is_measured_by_the_same_equation(kind: str) -> None:
    made, rows = network(kind), text(10, 2)
    noise = made.drawn((torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES)
    told = made.eval().told(rows)
    v, u = made.inputs().detach(), made.outputs().detach()
    nats, pairs, ranked = 0.0, 0, 0.0

    def add(hidden: Tensor, word: int, times: int) -> None:
        nonlocal nats, pairs, ranked
        said, against = float(hidden @ u[word]), u[noise] @ hidden
        each = torch.nn.functional.softplus(against).mean()
        nats += times * (float(torch.nn.functional.softplus(torch.tensor(-said))) + 5 * float(each))
        ranked += times * float((against < said - 1e-5).double().mean())
        pairs += times

    if kind == "skipgram":
        for center, other, distance in pairs_of(rows, 2):
            add(v[center], other, 3 - distance)
    for row in rows.tolist() if kind == "cbow" else ():
        for place, center in enumerate(row):
            near = [(3 - abs(k), row[place + k]) for k in (-2, -1, 1, 2) if 0 <= place + k < len(row)]
            total = sum(weight for weight, _ in near)
            add(torch.stack([weight * v[word] for weight, word in near]).sum(0) / total, center, 1)
    assert int(told.pairs) == pairs
    assert float(told.nats) == pytest.approx(nats, rel=1e-5)
    assert float(told.ranked) == pytest.approx(ranked)


def test_what_is_measured_does_not_depend_on_padding() -> None:
    made, rows = network().eval(), text(10, 2)
    padded = torch.cat([rows, torch.ones_like(rows)], 1)
    valid = torch.arange(20).expand(2, 20) < 10
    for found, wanted in zip(made.told(padded, valid), made.told(rows), strict=True):
        torch.testing.assert_close(found, wanted)


def test_the_full_softmax_is_measured_over_all_words() -> None:
    made, rows = network(objective="full").eval(), text(10, 1)
    shares = (made.inputs() @ made.outputs().t()).log_softmax(1).detach()
    wanted = -sum(float(shares[center, other]) * (3 - distance) for center, other, distance in pairs_of(rows, 2))
    assert float(made.told(rows).nats) == pytest.approx(wanted)
    uniform = SkipGramOptions(objective="full", embedding_size=4).build(COUNTS).eval().told(rows)
    assert float(uniform.nats / uniform.pairs) == pytest.approx(log(7))  # u is 0 at first
