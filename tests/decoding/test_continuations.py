import pytest
import torch

from seqlab.decoding import continuations
from seqlab.decoding.continuations import best_continuations


@pytest.fixture(params=[0, 2**20], ids=["blocks", "all"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the best blocks are sorted, or all tokens."""
    monkeypatch.setattr(continuations, "FEW", request.param)


@pytest.mark.parametrize("vocab_size", [7, 600, 3000, 3001, 3063])
@pytest.mark.parametrize(("width", "k"), [(1, 1), (1, 7), (3, 1), (3, 7), (3, 12)])
def test_the_best_continuations_by_sorting_all_of_them(vocab_size: int, width: int, k: int) -> None:
    generator = torch.Generator().manual_seed(vocab_size)
    log_probs = torch.randn(4, width, vocab_size, generator=generator).log_softmax(-1)
    log_probs[1, :, : vocab_size // 2] = -torch.inf
    log_probs[2, -1, -k:] = torch.linspace(-0.5, -0.1, k)[-vocab_size:]
    scores = torch.randn(4, width, generator=generator, dtype=torch.float64)
    scores[3, 2:] = -torch.inf
    best, rows, tokens = best_continuations(log_probs, scores, k)
    wanted, where = (log_probs + scores.unsqueeze(-1)).flatten(1).topk(k)
    assert torch.equal(best, wanted)
    assert torch.equal(rows * vocab_size + tokens, where)


def test_continuations_where_next_to_nothing_is_allowed() -> None:
    log_probs = torch.full((2, 2, 3001), -torch.inf)
    log_probs[0, 1, 3000], log_probs[1, 0, 5] = -1.0, -2.0
    best, rows, tokens = best_continuations(log_probs, torch.zeros(2, 2).double(), 4)
    assert rows[:, 0].tolist() == [1, 0]
    assert tokens[:, 0].tolist() == [3000, 5]
    assert best[:, 0].tolist() == [-1.0, -2.0]
    assert best[:, 1:].eq(-torch.inf).all()
    assert tokens.lt(3001).all()
