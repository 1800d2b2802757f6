import math
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch
from torch import Tensor

from seqlab.metrics import (
    BLEU_COLUMNS,
    PERPLEXITY,
    MeanLoss,
    Measure,
    Report,
    bits,
    bleu_columns,
    corpus_bleu,
    of_bleu,
    perplexity,
    ratio,
)


def some(tokens: int) -> Tensor:
    """Nats of each of some tokens."""
    return 3 * torch.rand(tokens, generator=torch.Generator().manual_seed(0))


def test_bits() -> None:
    assert bits(math.log(2)) == 1.0
    assert bits(3 * math.log(2)) == pytest.approx(3.0, rel=1e-15)


def test_mean_over_uneven_batches_weighs_tokens() -> None:
    nats, total = some(13), MeanLoss()
    parts = nats.split(5)
    for part in parts:
        total.update(part.sum(), len(part))
    assert float(total.compute()) == pytest.approx(float(nats.mean()), rel=1e-6)
    assert float(total.compute().exp()) == pytest.approx(math.exp(float(nats.mean())), rel=1e-6)
    means = [float(part.mean()) for part in parts]
    assert abs(sum(means) / 3 - float(total.compute())) > 1e-3  # what a mean of means would say


def test_batches_of_nothing_but_padding_weigh_nothing() -> None:
    total = MeanLoss()
    total.update(some(8).sum(), 8)
    before = float(total.compute())
    total.update(torch.tensor(0.0), torch.tensor(0))
    assert float(total.compute()) == before
    assert int(total.count) == 8


def test_sums_are_float64_and_whole_numbers() -> None:
    total = MeanLoss()
    total.update(torch.tensor(2.0**24), 2**24)
    for _ in range(3):
        total.update(torch.tensor(1.0), 1)
    assert (float(total.total), int(total.count)) == (2**24 + 3, 2**24 + 3)  # in float32 each 1 would be lost
    assert (total.total.dtype, total.count.dtype) == (torch.float64, torch.int64)


def test_sums_stay_float64_in_a_module_of_another_precision() -> None:
    module = torch.nn.Module()
    module.total = MeanLoss()
    module.half()
    module.total.update(torch.tensor(1.0), 1)
    assert module.total.total.dtype == torch.float64


def test_reset_forgets() -> None:
    total = MeanLoss()
    total.update(torch.tensor(5.0), 2)
    assert float(total.compute()) == 2.5
    total.reset()
    total.update(torch.tensor(3.0), 1)
    assert float(total.compute()) == 3.0


def test_keeps_no_graph() -> None:
    total = MeanLoss()
    total.update(torch.tensor(5.0, requires_grad=True) * 2, 2)
    assert not total.total.requires_grad


@pytest.mark.parametrize(("nats", "expected"), [(0.0, 1.0), (1.0, math.e), (709.0, math.exp(709)), (800.0, math.inf)])
def test_perplexity(nats: float, expected: float) -> None:
    assert perplexity(nats) == expected


def test_perplexity_of_what_has_no_chance() -> None:
    assert perplexity(math.inf) == math.inf
    assert math.isnan(perplexity(math.nan))


COLUMNS: dict[str, Any] = {"nats": np.array([6.0, 1.0, 5.0]), "tokens": np.array([3, 1, 2])}
DRAWN = np.array([[1.0, 1, 1], [2, 0, 1], [0, 3, 0]])
"""How often each of three resamples draws each of three items."""


def test_a_ratio_by_hand() -> None:
    assert ratio("nats", "tokens")(COLUMNS, DRAWN).tolist() == pytest.approx([12 / 6, 17 / 8, 3 / 3], rel=1e-15)
    assert ratio("nats")(COLUMNS, DRAWN).tolist() == pytest.approx([12 / 3, 17 / 3, 3 / 3], rel=1e-15)
    shares = ratio("nats", "tokens", lambda share: 1 - share)(COLUMNS, DRAWN)
    assert shares.tolist() == pytest.approx([-1, -9 / 8, 0], rel=1e-15)


def test_perplexity_of_resamples_is_that_of_their_tokens() -> None:
    assert PERPLEXITY.resampled is not None
    assert PERPLEXITY.of_loss is perplexity
    reached = PERPLEXITY.resampled(COLUMNS, DRAWN)
    assert reached.tolist() == pytest.approx([math.exp(2), math.exp(17 / 8), math.exp(1)], rel=1e-14)
    assert PERPLEXITY.resampled({key: [*column] for key, column in COLUMNS.items()}, DRAWN).tolist() == reached.tolist()


@pytest.mark.parametrize(("form", "shown"), [("{:.3f}", "0.125"), ("{:.1%}", "12.5%"), ("{:.2f} m", "0.12 m")])
def test_a_measure_writes_its_values(form: str, shown: str) -> None:
    assert Measure("share", form, "higher").shown(0.125) == shown


def test_a_report_in_two_columns() -> None:
    report = Report(corpus="story", split="test", loss=1.25, count=10, seconds=0.5, measures={"accuracy": 0.5})
    assert str(report) == "corpus              story, test part\nloss                1.2500"


SAID = [
    "the cat sat on the mat .",
    "a dog ran away from the house yesterday",
    "yes",
    "",
    "he goes to school by bus every morning",
]
WANTED = [
    "the cat sat on a mat .",
    "the dog ran away from the house",
    "yes , of course",
    "nothing was said",
    "he goes to school by bus each morning",
]
NO_FOUR = ["the cat sat on a mat", "a dog ran"], ["the cat sat by a mat .", "a dog went away"]
"""Three words that are right in a row, but never four."""


@pytest.mark.parametrize(
    ("said", "wanted"),
    [(SAID, WANTED), NO_FOUR, (WANTED, SAID), (WANTED, WANTED), (["a b"], ["c d"]), (["one two"], ["one two"])],
)
def test_bleu_of_every_sentence_once_is_that_of_the_corpus(said: list[str], wanted: list[str]) -> None:
    columns = {name: np.array(column) for name, column in bleu_columns(said, wanted).items()}
    (reached,) = of_bleu(columns, np.ones((1, len(said))))
    assert float(reached) == pytest.approx(sacrebleu.corpus_bleu(said, [wanted]).score, abs=1e-9)
    assert float(reached) == pytest.approx(corpus_bleu(said, wanted).value, abs=1e-9)


def test_without_four_words_in_a_row_bleu_is_smoothed() -> None:
    counted = bleu_columns(*NO_FOUR)
    assert sum(counted["bleu_right_4"]) == 0 < sum(counted["bleu_all_4"])
    assert 0 < corpus_bleu(*NO_FOUR).value < 100


def test_bleu_of_resamples_is_that_of_the_sentences_drawn() -> None:
    columns = {name: np.array(column) for name, column in bleu_columns(SAID, WANTED).items()}
    draws = np.random.default_rng(0).multinomial(len(SAID), [1 / len(SAID)] * len(SAID), size=20)
    for weights, reached in zip(draws, of_bleu(columns, draws.astype(float)), strict=True):
        said, wanted = (
            [text for text, times in zip(texts, weights, strict=True) for _ in range(times)] for texts in (SAID, WANTED)
        )
        assert float(reached) == pytest.approx(corpus_bleu(said, wanted).value, abs=1e-9)


def test_what_bleu_counts_by_hand() -> None:
    counted = bleu_columns(["a b a b c", "x"], ["a b c d", "x y"])
    assert tuple(counted) == BLEU_COLUMNS
    assert (counted["bleu_said"], counted["bleu_wanted"]) == ([5, 1], [4, 2])
    assert counted["bleu_right_1"] == [3, 1]  # a, b and c once each
    assert counted["bleu_right_2"] == [2, 0]  # a b once, b c once
    assert counted["bleu_right_3"] == [1, 0]  # a b c
    assert counted["bleu_right_4"] == [0, 0]
    assert [counted[f"bleu_all_{n}"] for n in range(1, 5)] == [[5, 1], [4, 0], [3, 0], [2, 0]]
