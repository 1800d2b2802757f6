"""Precision, recall and F1 of spans."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from seqlab.metrics import Columns
from seqlab.text.spans import Span


class SpanScore(NamedTuple):
    """Numbers of right, predicted and true spans."""

    right: int = 0
    said: int = 0
    wanted: int = 0

    @property
    def precision(self) -> float:
        """Share of the predicted spans that are right; 0 without predicted spans."""
        return self.right / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        """Share of the true spans that are predicted; 0 without true spans."""
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if no span is right."""
        return 2 * self.right / (self.said + self.wanted) if self.right else 0.0


Tags = Sequence[Sequence[str]]
Reader = Callable[[Sequence[str]], Iterable[Span]]
"""Function from the tags of a sentence to its spans."""


def span_scores(said: Tags, wanted: Tags, spans_of: Reader) -> dict[str, SpanScore]:
    """The score of each kind; a span is right if its kind, begin and end are right.

    Args:
        said: Predicted tags of each sentence.
        wanted: True tags of each sentence.
        spans_of: Reads spans from tags.
    """
    right: Counter[str] = Counter()
    there: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for one, other in zip(said, wanted, strict=True):
        spans, known = {*spans_of(one)}, {*spans_of(other)}
        right.update(span.kind for span in spans & known)
        found.update(span.kind for span in spans)
        there.update(span.kind for span in known)
    return {kind: SpanScore(right[kind], found[kind], there[kind]) for kind in sorted(found | there)}


def together(scores: Iterable[SpanScore]) -> SpanScore:
    """The score of all kinds together (micro average)."""
    return SpanScore(*(sum(column) for column in zip(SpanScore(), *scores, strict=True)))


class SpanF1(Metric):
    """F1 of spans over all batches and all processes."""

    full_state_update = False
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(3, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, score: SpanScore) -> None:
        """Counts some sentences."""
        self.counts += torch.tensor(score, device=self.counts.device)

    def compute(self) -> Tensor:
        return torch.tensor(SpanScore(*self.counts.tolist()).f1, dtype=torch.float64)


def of_span_f1(columns: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of the spans of resampled sentences."""
    right, said, wanted = (
        weights @ np.asarray(columns[f"spans_{name}"], dtype=np.float64) for name in ("right", "said", "wanted")
    )
    found: NDArray[np.float64] = np.divide(2 * right, said + wanted, out=np.zeros_like(right), where=right > 0)
    return found
