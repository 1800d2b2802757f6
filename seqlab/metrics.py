"""Measures of models: first sums, then one division, then exp."""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

Columns = Mapping[str, NDArray[Any]]
"""Results of each held-out item, by name, each ``(items,)``."""

Resampled = Callable[[Columns, NDArray[np.float64]], NDArray[np.float64]]
"""Function: columns, and counts of each item in each resample ``(resamples, items)`` -> measure of each resample."""


class Measure(NamedTuple):
    """A measure of a model's quality.

    Args:
        title: Name for people.
        form: Format of a value, with its unit: ``{:.3f}``, ``{:.2%}``.
        better: Whether ``lower`` or ``higher`` values are better.
        metric: Model -> the metric that ``score`` updates; None if the model computes the value of a whole part itself.
        resampled: Its value over resampled items; None if it does not follow from items.
        of_loss: Mean loss -> its value, if it follows from the loss.
    """

    title: str
    form: str
    better: Literal["lower", "higher"]
    metric: Callable[[Any], Metric] | None = None
    resampled: Resampled | None = None
    of_loss: Callable[[float], float] | None = None

    def shown(self, value: float) -> str:
        """A value as text."""
        return self.form.format(value)


WHOLE = "whole"
"""Name of the part if a corpus was not cut into parts."""

LOSS = "loss"
"""Name of the measure that every model has: the loss per item."""


def with_loss(measures: Iterable[str]) -> list[str]:
    """The names of the loss and of measures, each once."""
    return [*dict.fromkeys((LOSS, *measures))]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Measures of a model on one part of a corpus, with every item counted once.

    Args:
        corpus: Name of the corpus.
        split: Part of the corpus, or ``WHOLE``.
        loss: Mean loss over the items, in nats unless the task defines another unit.
        count: Number of items in the mean.
        seconds: Wall time.
        measures: Values by name, without ``loss``.
        items: Results of each item, a list for each column; empty unless requested.
    """

    corpus: str
    split: str
    loss: float
    count: int
    seconds: float
    measures: Mapping[str, float]
    items: Mapping[str, Sequence[Any]] = field(default_factory=dict, repr=False)

    WIDTH: ClassVar[int] = 20

    @property
    def measured_on(self) -> str:
        """The corpus and its part, in words."""
        return f"{self.corpus}, whole" if self.split == WHOLE else f"{self.corpus}, {self.split} part"

    def rows(self) -> dict[str, str]:
        """The printed rows, name and value."""
        return {"corpus": self.measured_on, "loss": f"{self.loss:.4f}"}

    def __str__(self) -> str:
        return "\n".join(f"{name:<{self.WIDTH}}{value}" for name, value in self.rows().items())


def ratio(total: str, count: str | None = None, finish: Callable[[Any], Any] = lambda value: value) -> Resampled:
    """The sum of one column over that of another, or over the number of items.

    Args:
        total: Column of the numerator.
        count: Column of the denominator; the number of items if not given.
        finish: Applied to the quotient, such as ``numpy.exp``.
    """

    def resampled(columns: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        above = np.asarray(columns[total], dtype=np.float64)
        below = np.ones_like(above) if count is None else np.asarray(columns[count], dtype=np.float64)
        value: NDArray[np.float64] = finish((weights @ above) / (weights @ below))
        return value

    return resampled


class MeanLoss(Metric):
    """Mean loss of an item over all batches and all processes.

    The sums are float64 and the counts int64, so that neither many items nor small differences are lost.

    Args:
        alone: Whether this process counts alone, so that ``compute`` does not wait for other processes.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, alone: bool = False) -> None:
        super().__init__(sync_on_compute=not alone)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, total: Tensor, count: int | Tensor) -> None:
        """Counts one batch: its loss summed over items, and the number of those items."""
        self.total += total.detach()
        self.count += count

    def compute(self) -> Tensor:
        return self.total / self.count


def perplexity(nats: float) -> float:
    """exp of nats per token; infinite if it is too large for a float."""
    return math.inf if nats > math.log(sys.float_info.max) else math.exp(nats)


def bits(nats: float) -> float:
    """Nats as bits."""
    return nats / math.log(2)


PERPLEXITY = Measure("perplexity", "{:.3f}", "lower", resampled=ratio("nats", "tokens", np.exp), of_loss=perplexity)
"""exp of nats per token."""


class Score(NamedTuple):
    """A score of translations, from 0 to 100, with sacrebleu's signature of the computation."""

    value: float
    signature: str


def corpus_bleu(said: Sequence[str], wanted: Sequence[str], tokenize: str = "13a") -> Score:
    """BLEU of a corpus (Papineni et al. 2002), through sacrebleu (Post 2018), on detokenised sentences.

    Args:
        said: The translations.
        wanted: The references.
        tokenize: Tokenizer of sacrebleu for both.
    """
    import sacrebleu  # slow to import

    metric = sacrebleu.BLEU(tokenize=tokenize)
    score = metric.corpus_score(list(said), [list(wanted)]).score
    return Score(score, str(metric.get_signature()))


def corpus_chrf(said: Sequence[str], wanted: Sequence[str]) -> Score:
    """chrF2 of a corpus (Popovic 2015), through sacrebleu, on detokenised sentences."""
    import sacrebleu

    metric = sacrebleu.CHRF()
    score = metric.corpus_score(list(said), [list(wanted)]).score
    return Score(score, str(metric.get_signature()))


def bleu_book(said: str, wanted: str, longest: int = 2) -> float:
    """The BLEU of Dive into Deep Learning for one sentence of tokens separated by spaces, from 0 to 1.

        exp(min(0, 1 - len(wanted) / len(said))) * product over n of precision_n ** (0.5 ** n)

    Args:
        said: The translation.
        wanted: The reference.
        longest: Longest n-gram to match.
    """
    given, reference = said.split(), wanted.split()
    if len(given) < longest:
        return 0.0
    score = math.exp(min(0.0, 1 - len(reference) / len(given)))
    for n in range(1, longest + 1):
        grams, known = (Counter(zip(*(words[k:] for k in range(n)), strict=False)) for words in (given, reference))
        score *= ((grams & known).total() / grams.total()) ** (0.5**n)
    return score


BLEU_ORDERS = 4
BLEU_COLUMNS = ("bleu_said", "bleu_wanted", *(f"bleu_{kind}_{n}" for kind in ("right", "all") for n in range(1, 5)))
"""Columns of each sentence: its length, the reference's length, its right n-grams, and all its n-grams."""


def bleu_columns(said: Sequence[str], wanted: Sequence[str], tokenize: str = "13a") -> dict[str, list[int]]:
    """BLEU's counts of each translation, see ``BLEU_COLUMNS``."""
    import sacrebleu

    metric = sacrebleu.BLEU(effective_order=True, tokenize=tokenize)
    rows = []
    for one, other in zip(said, wanted, strict=True):
        score = metric.sentence_score(one, [other])
        rows.append((score.sys_len, score.ref_len, *score.counts, *score.totals))
    return {name: list(column) for name, column in zip(BLEU_COLUMNS, zip(*rows, strict=True), strict=True)}


def of_bleu(columns: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """BLEU of resampled translations, with sacrebleu's default smoothing ("exp")."""
    said, wanted, *grams = (weights @ np.asarray(columns[name], dtype=np.float64) for name in BLEU_COLUMNS)
    logs, halved = np.zeros(len(weights)), np.ones(len(weights))
    for right, every in zip(grams[:BLEU_ORDERS], grams[BLEU_ORDERS:], strict=True):
        halved = np.where(right == 0, halved * 2, halved)
        share = np.where(right == 0, 1 / halved, right) / np.maximum(every, 1)
        logs += np.where(every > 0, np.log(np.maximum(share, 1e-300)), -np.inf)
    brevity = np.where(said < wanted, np.exp(1 - wanted / np.maximum(said, 1)), 1.0)
    score: NDArray[np.float64] = 100 * brevity * np.exp(logs / BLEU_ORDERS)
    return score
