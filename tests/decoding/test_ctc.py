import math
from collections import defaultdict
from itertools import groupby, product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.decoding.ctc import Span, best_path, prefix_search, spans
from seqlab.nn.string_grams import grams_of

SYMBOLS = 3
LENGTHS = torch.tensor([5, 3, 1, 4])
GRAMS = grams_of([[0, 1], [1, 1, 2], [2]], SYMBOLS, 2)


def scores(seed: int) -> Tensor:
    torch.manual_seed(seed)
    return torch.randn(len(LENGTHS), 5, SYMBOLS + 1, dtype=torch.float64).mul(2).log_softmax(-1)


def meaning(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(column - 1 for column, _ in groupby(path) if column)


def masses(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """The probability of each string, by going through all paths ``(steps, symbols + 1)``."""
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in product(range(SYMBOLS + 1), repeat=len(log_probs)):
        found[meaning(path)] += math.exp(sum(float(log_probs[step, column]) for step, column in enumerate(path)))
    return found


def spoken(string: tuple[int, ...]) -> float:
    """log p of a string by ``GRAMS``, an n-gram of two, its end counted."""
    return sum(
        float(GRAMS[before, now]) for before, now in zip((0, *(s + 1 for s in string)), (*string, SYMBOLS), strict=True)
    )


@pytest.mark.parametrize("weight", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_finds_every_string_with_its_mass(seed: int, weight: float) -> None:
    log_probs = scores(seed)
    found = prefix_search(log_probs, LENGTHS, 400, GRAMS if weight else None, weight)
    for row, readings in enumerate(found):
        mass = masses(log_probs[row, : LENGTHS[row]])
        assert {tuple(one.symbols): math.exp(one.log_probability) for one in readings} == pytest.approx(mass)
        ranked = {string: math.log(p) + weight * (spoken(string) if weight else 0) for string, p in mass.items()}
        assert tuple(readings[0].symbols) == max(ranked, key=lambda string: ranked[string])
        assert [one.score for one in readings] == pytest.approx(sorted(ranked.values(), reverse=True))


def test_the_best_string_need_not_be_that_of_the_best_path() -> None:
    """Two blanks are the likeliest path, 0.36; one symbol has three paths, 0.64 together (Graves 2012, figure 7.5)."""
    log_probs = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()
    lengths = torch.tensor([2])
    assert best_path(log_probs, lengths) == [[]]
    (found,) = prefix_search(log_probs, lengths, 3)
    assert [(one.symbols, round(math.exp(one.log_probability), 6)) for one in found] == [([0], 0.64), ([], 0.36)]


def test_the_loss_is_what_all_paths_give() -> None:
    log_probs = scores(5)
    for row, length in enumerate(LENGTHS.tolist()):
        mass = masses(log_probs[row, :length])
        for string in ((), (0,), (1, 1), (2, 0, 2)):
            target = torch.tensor([[one + 1 for one in string]], dtype=torch.long)
            nats = F.ctc_loss(
                *(log_probs[row : row + 1, :length].transpose(0, 1), target),
                *(torch.tensor([length]), torch.tensor([len(string)])),
                reduction="sum",
            )
            assert math.exp(-float(nats)) == pytest.approx(mass.get(string, 0.0))


def test_a_narrow_beam_is_no_better_than_a_wide_one_and_no_worse_than_none() -> None:
    log_probs = scores(7)
    wide = [row[0].score for row in prefix_search(log_probs, LENGTHS, 400)]
    for size in (1, 2, 5):
        narrow = [row[0].score for row in prefix_search(log_probs, LENGTHS, size)]
        assert all(one <= other + 1e-12 for one, other in zip(narrow, wide, strict=True))
    assert all(len(row) <= 5 for row in prefix_search(log_probs, LENGTHS, 5))


def test_symbols_that_cannot_be_are_never_said() -> None:
    log_probs = scores(1)
    log_probs[:, :, 2] = -torch.inf
    found = prefix_search(log_probs, LENGTHS, 50)
    assert all(1 not in one.symbols and math.isfinite(one.score) for row in found for one in row)
    for row, readings in enumerate(found):
        mass = {string: p for string, p in masses(log_probs[row, : LENGTHS[row]]).items() if p}
        assert {tuple(one.symbols): math.exp(one.log_probability) for one in readings} == pytest.approx(mass)


def test_neither_padding_nor_neighbours_change_anything() -> None:
    log_probs = scores(2)
    padded = F.pad(log_probs, (0, 0, 0, 3), value=-0.1)
    said = best_path(log_probs, LENGTHS)
    assert best_path(padded, LENGTHS) == said
    assert prefix_search(padded, LENGTHS, 4, GRAMS, 0.5) == prefix_search(log_probs, LENGTHS, 4, GRAMS, 0.5)
    assert spans(padded, LENGTHS, said) == spans(log_probs, LENGTHS, said)
    for row, length in enumerate(LENGTHS.tolist()):
        alone, one = log_probs[row : row + 1, :length], LENGTHS[row : row + 1]
        assert best_path(alone, one) == said[row : row + 1]
        assert prefix_search(alone, one, 4) == prefix_search(log_probs, LENGTHS, 4)[row : row + 1]
        assert spans(alone, one, said[row : row + 1]) == spans(log_probs, LENGTHS, said)[row : row + 1]


@pytest.mark.parametrize("string", [(0,), (1, 1), (0, 2), (2, 0, 2)])
def test_places_are_those_of_the_likeliest_path_that_means_the_string(string: tuple[int, ...]) -> None:
    log_probs = scores(4)
    found = spans(log_probs, LENGTHS, [string] * len(LENGTHS))
    for row, length in enumerate(LENGTHS.tolist()):
        paths = [path for path in product(range(SYMBOLS + 1), repeat=length) if meaning(path) == string]
        if not paths:
            assert found[row] == []
            continue
        best = max(paths, key=lambda path: sum(float(log_probs[row, step, column]) for step, column in enumerate(path)))
        runs = [[*steps] for column, steps in groupby(range(length), key=lambda step: best[step]) if column]
        chances = [max(math.exp(float(log_probs[row, step, best[step]])) for step in run) for run in runs]
        assert [(one.first, one.last) for one in found[row]] == [(run[0], run[-1]) for run in runs]
        assert [one.probability for one in found[row]] == pytest.approx(chances)


def test_the_places_of_the_best_path_are_its_own() -> None:
    columns = torch.tensor([0, 2, 2, 0, 2, 1])
    log_probs = F.one_hot(columns, 3).double().mul(0.7).add(0.1).log().unsqueeze(0)
    lengths = torch.tensor([6])
    assert best_path(log_probs, lengths) == [[1, 1, 0]]
    (found,) = spans(log_probs, lengths, [[1, 1, 0]])
    assert [(one.first, one.last) for one in found] == [(1, 2), (4, 4), (5, 5)]
    assert spans(log_probs, lengths, [[]]) == [[]]
    assert isinstance(found[0], Span)
