import itertools

import pytest
import torch
from torch import Tensor

from seqlab.decoding.viterbi import best_paths, n_best_paths
from seqlab.native import compiler
from seqlab.nn.crf import Chain, path_scores


@pytest.fixture(params=["compiled", "step by step"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "step by step":
        monkeypatch.setattr("seqlab.native.chains.portable", lambda: compiler.Native(None))
    elif compiler.portable().library is None:
        pytest.skip(compiler.portable().reason)
    return str(request.param)


def drawn(tags: int, dtype: torch.dtype, batch: int = 5, time: int = 4) -> tuple[Tensor, Tensor, Chain]:
    generator = torch.Generator().manual_seed(tags)
    emissions, *chain = (
        torch.randn(shape, generator=generator).to(dtype)
        for shape in ((batch, time, tags), (tags, tags), (tags,), (tags,))
    )
    lengths = torch.randint(1, time + 1, (batch,), generator=generator)
    lengths[0] = time
    return emissions, lengths, Chain(*chain)


def ranked(emissions: Tensor, length: int, chain: Chain) -> list[tuple[float, list[int]]]:
    """Every path of one sentence, the best first."""
    paths = torch.tensor([*itertools.product(range(emissions.shape[1]), repeat=length)])
    rows = emissions[:length].expand(len(paths), -1, -1)
    scores = path_scores(rows, paths, torch.full((len(paths),), length), chain)
    order = scores.argsort(descending=True).tolist()
    return [(float(scores[row]), paths[row].tolist()) for row in order]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tags", [1, 3, 9])
def test_no_path_scores_higher(tags: int, dtype: torch.dtype) -> None:
    emissions, lengths, chain = drawn(tags, dtype)
    found = best_paths(emissions, lengths, chain)
    for row, length in enumerate(lengths.tolist()):
        assert found[row, :length].tolist() == ranked(emissions[row], length, chain)[0][1]
        assert not found[row, length:].any()


@pytest.mark.parametrize("tags", [1, 4])
def test_the_n_best_are_the_first_of_all_paths(tags: int) -> None:
    emissions, lengths, chain = drawn(tags, torch.float64)
    paths, scores = n_best_paths(emissions, lengths, chain, 6)
    for row, length in enumerate(lengths.tolist()):
        expected = ranked(emissions[row], length, chain)[:6]
        assert [path[:length] for path in paths[row].tolist()][: len(expected)] == [path for _, path in expected]
        torch.testing.assert_close(
            scores[row, : len(expected)], torch.tensor([score for score, _ in expected], dtype=torch.float64)
        )
        assert (scores[row, len(expected) :] == -torch.inf).all()


@pytest.mark.usefixtures("way")
def test_what_is_not_allowed_is_not_said() -> None:
    emissions, lengths, chain = drawn(4, torch.float32, batch=40, time=12)
    forbidden = chain.transitions.clone()
    forbidden[1, 2] = -torch.inf
    start = chain.start.clone()
    start[0] = -torch.inf
    found = best_paths(emissions, lengths, Chain(forbidden, start, chain.end))
    for path, length in zip(found.tolist(), lengths.tolist(), strict=True):
        assert path[0] != 0
        assert (1, 2) not in [*itertools.pairwise(path[:length])]


def test_compiled_code_and_steps_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    if compiler.portable().library is None:
        pytest.skip(compiler.portable().reason)
    emissions, lengths, chain = drawn(21, torch.float32, batch=16, time=30)
    compiled = best_paths(emissions, lengths, chain)
    monkeypatch.setattr("seqlab.native.chains.portable", lambda: compiler.Native(None))
    assert torch.equal(best_paths(emissions, lengths, chain), compiled)
