import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seqlab.native import compiler
from seqlab.nn.crf import CRF, Chain, log_partition, marginals, path_scores, sentence_nats

LENGTHS = torch.tensor([4, 1, 3])
BATCH, TIME, TAGS = 3, 4, 3


@pytest.fixture(params=["compiled", "step by step"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "step by step":
        monkeypatch.setattr("seqlab.native.chains.portable", lambda: compiler.Native(None))
    elif compiler.portable().library is None:
        pytest.skip(compiler.portable().reason)


def drawn(dtype: torch.dtype = torch.float64, batch: int = BATCH, time: int = TIME, tags: int = TAGS) -> list[Tensor]:
    """Emissions, transitions, start and end."""
    generator = torch.Generator().manual_seed(0)
    shapes = (batch, time, tags), (tags, tags), (tags,), (tags,)
    return [(2 * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype) for shape in shapes]


def every_path(emissions: Tensor, length: int, chain: Chain) -> dict[tuple[int, ...], Tensor]:
    """The score of each path of one sentence ``(time, tags)``, term by term."""
    scores = {}
    for path in itertools.product(range(emissions.shape[1]), repeat=length):
        score = chain.start[path[0]] + chain.end[path[-1]]
        for step, tag in enumerate(path):
            score = score + emissions[step, tag]
        for before, after in itertools.pairwise(path):
            score = score + chain.transitions[before, after]
        scores[path] = score
    return scores


def each(of: Callable[[dict[tuple[int, ...], Tensor], int], Tensor]) -> list[Tensor]:
    emissions, *chain = drawn()
    rows = zip(emissions, LENGTHS.tolist(), strict=True)
    return [of(every_path(row, length, Chain(*chain)), length) for row, length in rows]


def test_the_partition_is_the_sum_over_all_paths() -> None:
    emissions, *chain = drawn()
    expected = each(lambda paths, _: torch.stack([*paths.values()]).logsumexp(0))
    torch.testing.assert_close(log_partition(emissions, LENGTHS, Chain(*chain)), torch.stack(expected))


def test_marginals_are_those_of_all_paths() -> None:
    emissions, *chain = drawn()
    found = marginals(emissions, LENGTHS, Chain(*chain))

    def by_hand(paths: dict[tuple[int, ...], Tensor], length: int) -> Tensor:
        total, shares = torch.stack([*paths.values()]).exp().sum(), torch.zeros(length, TAGS, dtype=torch.float64)
        for path, score in paths.items():
            for step, tag in enumerate(path):
                shares[step, tag] += score.exp() / total
        return shares

    for row, expected in zip(found, each(by_hand), strict=True):
        torch.testing.assert_close(row[: len(expected)], expected)


def test_nats_are_the_partition_less_the_score() -> None:
    emissions, *chain = drawn()
    tags = torch.tensor([[0, 1, 2, 1], [2, 7, 7, 7], [1, 1, 0, 9]])
    scores = path_scores(emissions, tags, LENGTHS, Chain(*chain))
    expected = each(lambda paths, length: torch.stack([*paths.values()]))
    paths = [tuple(row[:length].tolist()) for row, length in zip(tags, LENGTHS, strict=True)]
    by_hand = [every_path(row, len(path), Chain(*chain))[path] for row, path in zip(emissions, paths, strict=True)]
    torch.testing.assert_close(scores, torch.stack(by_hand))
    nats = sentence_nats(emissions, tags, LENGTHS, Chain(*chain))
    torch.testing.assert_close(nats, torch.stack([row.logsumexp(0) for row in expected]) - scores)


def test_the_gradient_is_that_of_all_paths() -> None:
    given = [one.requires_grad_() for one in drawn()]
    tags, slopes = torch.tensor([[0, 1, 2, 1], [2, 0, 0, 0], [1, 1, 0, 0]]), torch.tensor([1.0, -2.0, 0.5])
    (sentence_nats(given[0], tags, LENGTHS, Chain(*given[1:])) * slopes).sum().backward()
    found = [one.grad for one in given]
    again = [one.detach().clone().requires_grad_() for one in given]
    chain, total = Chain(*again[1:]), torch.zeros((), dtype=torch.float64)
    for row, path, length, slope in zip(again[0], tags.tolist(), LENGTHS.tolist(), slopes, strict=True):
        paths = every_path(row, length, chain)
        total = total + slope * (torch.stack([*paths.values()]).logsumexp(0) - paths[tuple(path[:length])])
    total.backward()
    for one, other in zip(found, again, strict=True):
        assert one is not None
        torch.testing.assert_close(one, other.grad)


def test_pytorch_crf_agrees_on_random_input() -> None:
    torchcrf = pytest.importorskip("torchcrf")
    emissions, *chain = drawn(torch.float32, 6, 9, 5)
    lengths = torch.tensor([9, 3, 1, 7, 9, 2])
    tags = torch.randint(5, (6, 9), generator=torch.Generator().manual_seed(1))
    peer = torchcrf.CRF(5, batch_first=True)
    names = ("transitions", "start_transitions", "end_transitions")
    with torch.no_grad():
        for name, part in zip(names, chain, strict=True):
            getattr(peer, name).copy_(part)
    own = [one.clone().requires_grad_() for one in (emissions, *chain)]
    emissions.requires_grad_()
    theirs = -peer(emissions, tags, mask=torch.arange(9) < lengths.unsqueeze(1), reduction="none")
    theirs.sum().backward()
    nats = sentence_nats(own[0], tags, lengths, Chain(*own[1:]))
    nats.sum().backward()
    torch.testing.assert_close(nats.float(), theirs, rtol=1e-5, atol=1e-4)
    for one, other in zip(own, (emissions, *(getattr(peer, name) for name in names)), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


def test_padding_changes_nothing() -> None:
    emissions, *chain = drawn()
    wider = torch.cat([emissions, torch.full((BATCH, 3, TAGS), 50.0, dtype=torch.float64)], 1).requires_grad_()
    tags = torch.zeros(BATCH, TIME + 3, dtype=torch.int64)
    nats = sentence_nats(wider, tags, LENGTHS, Chain(*chain))
    for row, length in enumerate(LENGTHS.tolist()):
        alone = sentence_nats(
            emissions[row : row + 1, :length], tags[:1, :length], LENGTHS[row : row + 1], Chain(*chain)
        )
        torch.testing.assert_close(nats[row], alone[0], rtol=1e-13, atol=1e-13)
    nats.sum().backward()
    assert wider.grad is not None
    behind = torch.arange(TIME + 3) >= LENGTHS.unsqueeze(1)
    assert not wider.grad[behind].any()


def test_large_scores_stay_finite() -> None:
    emissions, *chain = drawn()
    nats = sentence_nats(200 * emissions, torch.zeros(BATCH, TIME, dtype=torch.int64), LENGTHS, Chain(*chain))
    assert nats.isfinite().all()
    assert (nats >= -1e-9).all()


def test_what_is_not_allowed_has_no_share() -> None:
    crf = CRF(3).double()
    allowed = torch.ones(4, 4, dtype=torch.bool)
    allowed[0, 1] = allowed[3, 2] = allowed[1, 3] = False  # 0 before 1, 2 first, 1 last
    assert not crf.constrained
    crf.constrain(allowed)
    assert crf.constrained
    emissions = drawn()[0]
    found = marginals(emissions, LENGTHS, crf.chain())
    assert not found[:, 0, 2].any()
    assert not found[torch.arange(3), LENGTHS - 1, 1].any()
    nats = sentence_nats(emissions, torch.zeros(BATCH, TIME, dtype=torch.int64), LENGTHS, crf.chain())
    nats.sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in crf.parameters())


def test_a_chain_that_is_not_learned_is_zero_and_has_no_parameters() -> None:
    crf = CRF(2, learned=False)
    assert not [*crf.parameters()]
    assert not any(part.any() for part in crf.chain())
