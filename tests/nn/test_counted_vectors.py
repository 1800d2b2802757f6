from collections import defaultdict
from math import log
from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.nn import cooccurrence
from seqlab.nn.cooccurrence import Cells, cooccurrences
from seqlab.nn.glove import GloVe, GloVeOptions, Side, errors_of
from seqlab.nn.ppmi import PPMI, PPMIOptions, ppmi_of, truncated_svd


def random_text(words: int, vocab_size: int) -> Tensor:
    return torch.randint(1, vocab_size, (words,), generator=torch.Generator().manual_seed(2))


def dense(cells: Cells, size: int) -> Tensor:
    table = torch.zeros(size, size, dtype=torch.float64)
    table[cells.first, cells.second] = cells.counts
    return table


@pytest.mark.parametrize("together", [3, 10, 64, 1000])
@pytest.mark.parametrize("window", [1, 4])
def test_cooccurrences_are_those_of_a_loop(together: int, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooccurrence, "TOGETHER", together)
    words = random_text(200, 9)
    naive: defaultdict[tuple[int, int], float] = defaultdict(float)
    for i, first in enumerate(words.tolist()):
        for j, second in enumerate(words.tolist()):
            if 0 < abs(i - j) <= window:
                naive[first, second] += 1 / abs(i - j)
    cells = cooccurrences(words, 9, window, lambda distance: 1 / distance)
    found = zip(cells.first.tolist(), cells.second.tolist(), strict=True)
    assert dict(zip(found, cells.counts.tolist(), strict=True)) == pytest.approx(dict(naive))
    keys = cells.first * 9 + cells.second
    assert bool((keys.diff() > 0).all())


def test_a_text_of_one_word_has_no_pairs() -> None:
    assert len(cooccurrences(torch.tensor([1]), 3, 2, lambda distance: distance).counts) == 0


def test_ppmi_is_that_of_a_table_by_hand() -> None:
    """X = [[0, 2], [2, 4]]: P(w) = 1/4, 3/4, and with power 1 P(c) the same."""
    cells = Cells(torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1]), torch.tensor([2.0, 2.0, 4.0], dtype=torch.float64))
    found = ppmi_of(cells, 2, power=1.0, shifted=1.0)
    assert dense(found, 2).tolist() == [
        [0.0, pytest.approx(log(0.25 / (0.25 * 0.75)))],
        [pytest.approx(log(0.25 / (0.75 * 0.25))), 0.0],  # log(0.5 / (0.75 * 0.75)) is negative
    ]
    smooth = ppmi_of(cells, 2, power=0.5, shifted=1.0)
    roots = 2**0.5, 6**0.5
    wanted = log(0.25 / (0.25 * roots[1] / sum(roots)))
    assert dense(smooth, 2)[0, 1] == pytest.approx(wanted)
    shifted = ppmi_of(cells, 2, power=0.5, shifted=1.2)
    assert dense(shifted, 2)[0, 1] == pytest.approx(wanted - log(1.2))


def test_the_svd_is_that_of_the_dense_matrix() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.rand(30, 6, generator=generator) @ torch.rand(6, 30, generator=generator)
    table[torch.rand(30, 30, generator=generator) < 0.5] = 0
    first, second = table.nonzero().t()
    u, s, v = truncated_svd(Cells(first, second, table[first, second].double()), 30, 8)
    torch.testing.assert_close(s, torch.linalg.svdvals(table)[:8], rtol=1e-4, atol=1e-4)
    best = torch.linalg.svd(table)
    torch.testing.assert_close((u * s) @ v.t(), (best.U[:, :8] * best.S[:8]) @ best.Vh[:8], rtol=1e-3, atol=1e-3)
    assert bool((u.gather(0, u.abs().argmax(0, keepdim=True)) > 0).all())


def counted(kind: str, words: Tensor, size: int, **options: Any) -> PPMI | GloVe:
    torch.manual_seed(0)
    counts = torch.bincount(words, minlength=size)
    chosen = PPMIOptions(**options) if kind == "ppmi" else GloVeOptions(**options)
    made = chosen.build(counts)
    assert isinstance(made, PPMI | GloVe)
    made.count(words)
    return made.eval()


def test_ppmi_says_pmi_against_noise() -> None:
    words = random_text(400, 8)
    made = counted("ppmi", words, 8, embedding_size=8, window=2, negatives=3)
    cells = cooccurrences(words, 8, 2, lambda distance: 1 + (1 - distance) / 2)
    table = dense(ppmi_of(cells, 8, 0.75, 1.0), 8)
    said = made.inputs() @ made.outputs().t()
    torch.testing.assert_close(said.double(), table - log(3), rtol=1e-3, atol=1e-3)


def test_powers_weigh_the_directions() -> None:
    words = random_text(400, 8)
    alike = counted("ppmi", words, 8, embedding_size=3, eigenvalue_power=0.0)
    torch.testing.assert_close(alike.embedding.weight.t() @ alike.embedding.weight, torch.eye(3), rtol=1e-4, atol=1e-4)
    weighed = counted("ppmi", words, 8, embedding_size=3, eigenvalue_power=1.0)
    sizes = weighed.embedding.weight.norm(dim=0)
    torch.testing.assert_close(weighed.context_embedding.weight.norm(dim=0), torch.ones(3), rtol=1e-4, atol=1e-4)
    assert bool((sizes.diff() < 0).all())


def test_more_numbers_than_words_stay_zero() -> None:
    made = counted("ppmi", random_text(400, 8), 8, embedding_size=12)
    assert made.vectors().shape == (8, 12)
    assert bool((made.vectors()[:, 8:] == 0).all())


def test_the_step_of_glove_is_the_gradient_of_half_its_cost() -> None:
    generator = torch.Generator().manual_seed(0)
    one, two = (torch.randn(3, 5, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2))
    counts = torch.tensor([1.0, 50.0, 400.0], dtype=torch.float64)
    error, weight = errors_of(one, two, counts, 100.0, 0.75)
    assert weight.tolist() == pytest.approx([0.01**0.75, 0.5**0.75, 1.0])
    assert error.tolist()[0] == pytest.approx(((one[0, :-1] * two[0, :-1]).sum() + one[0, -1] + two[0, -1]).item())
    (wanted,) = torch.autograd.grad((weight * error.square()).sum() / 2, one)
    slope = (weight * error).unsqueeze(1)
    torch.testing.assert_close(slope * torch.cat([two[:, :-1], torch.ones_like(slope)], 1), wanted)


def test_adagrad_on_rows_is_that_on_the_whole_table() -> None:
    table = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    whole = torch.nn.Parameter(table.clone())
    side, adagrad = Side(table.clone()), torch.optim.Adagrad([whole], lr=0.1, initial_accumulator_value=1.0)
    ids = torch.tensor([1, 3, 1])
    for seed in range(3):
        gradients = torch.randn(3, 3, generator=torch.Generator().manual_seed(seed))
        whole.grad = torch.zeros(5, 3).index_add(0, ids, gradients)
        adagrad.step()
        side.step(ids, gradients, 0.1)
    torch.testing.assert_close(side.table, whole.detach())


def test_glove_comes_near_the_logarithms() -> None:
    words = random_text(2000, 6)
    made = counted(
        "glove", words, 6, embedding_size=6, window=2, epochs=2000, batch_cells=9, learning_rate=0.3, negatives=2
    )
    cells = cooccurrences(words, 6, 2, lambda distance: 1 / distance)
    sums = torch.zeros(6, dtype=torch.float64).index_add(0, cells.first, cells.counts)
    noise = torch.bincount(words, minlength=6).double() ** 0.75
    noise /= noise.sum()
    wanted = (cells.counts / (sums[cells.first] * 2 * noise[cells.second])).log()
    said = (made.inputs() @ made.outputs().t())[cells.first, cells.second]
    torch.testing.assert_close(said.double(), wanted, rtol=0, atol=0.05)
    torch.testing.assert_close(made.vectors(), made.embedding.weight + made.context_embedding.weight)


@pytest.mark.parametrize("kind", ["ppmi", "glove"])
def test_held_out_text_is_told_from_noise(kind: str) -> None:
    """Words of one half of the vocabulary stand near each other alone."""
    generator = torch.Generator().manual_seed(0)
    runs = [torch.randint(1, 6, (40,), generator=generator) + 5 * (run % 2) for run in range(50)]
    made = counted(kind, torch.cat(runs), 11, embedding_size=4, window=2)
    told = made.told(torch.stack(runs))
    assert float(told.ranked / told.pairs) > 0.6
    unlearned = 6 * log(2)
    assert float(told.nats / told.pairs) < unlearned
