"""Tests of word vectors: analogies, and similarity as judged by people."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from seqlab.analysis.word_queries import WordSpace
from seqlab.bootstrap import ITEM_RESAMPLES, interval
from seqlab.errors import UserError
from seqlab.text.word_questions import Judged, Question

TOGETHER = 256
"""Questions in a batch."""


class Section(NamedTuple):
    """Questions of one section, or of all.

    Args:
        name: Name of the section.
        right: Number of questions answered correctly.
        covered: Number of questions whose four words have vectors; others do not count.
        questions: Number of questions.
    """

    name: str
    right: int
    covered: int
    questions: int

    @property
    def accuracy(self) -> float:
        """Share of the covered questions answered correctly; NaN without covered questions."""
        return self.right / self.covered if self.covered else float("nan")

    def __str__(self) -> str:
        share = f"{self.accuracy:.2%}" if self.covered else "none"
        return f"{share} right of {self.covered:,} covered, of {self.questions:,}"


class Analogies(NamedTuple):
    """Results of the sections, in the order of the file."""

    sections: list[Section]

    def all(self) -> Section:
        """Result over all questions."""
        return Section("all", *(sum(column) for column in zip(*(one[1:] for one in self.sections), strict=True)))


class Similarity(NamedTuple):
    """Rank correlation of cosines and human judgements.

    Args:
        spearman: Rank correlation over the covered pairs.
        low: Lower end of its 95% bootstrap interval.
        high: Upper end of its 95% bootstrap interval.
        covered: Number of pairs whose words have vectors; others do not count.
        pairs: Number of pairs.
    """

    spearman: float
    low: float
    high: float
    covered: int
    pairs: int

    def __str__(self) -> str:
        interval = f"[{self.low:.3f}, {self.high:.3f}]"
        return f"Spearman {self.spearman:.4f} {interval} over {self.covered:,} covered, of {self.pairs:,}"


def answer_analogies(space: WordSpace, questions: Sequence[Question]) -> Analogies:
    """Answers questions by 3CosAdd: the word nearest to b - a + c (unit vectors), except a, b and c.

    Words are looked up unchanged, then in lower case.

    Args:
        space: Words with their vectors.
        questions: Questions in the order of the file.
    """
    known = [[_row(space, word) for word in question[1:]] for question in questions]
    asked = [place for place, rows in enumerate(known) if None not in rows]
    right = np.zeros(len(questions), dtype=bool)
    for begin in range(0, len(asked), TOGETHER):
        places = asked[begin : begin + TOGETHER]
        rows = torch.tensor([known[place] for place in places])
        a, b, c, d = rows.t()
        scores = (space.unit[b] - space.unit[a] + space.unit[c]) @ space.unit.t()
        scores.scatter_(1, rows[:, :3], -torch.inf)
        right[places] = (scores.argmax(1) == d).numpy()
    covered = np.zeros(len(questions), dtype=bool)
    covered[asked] = True
    sections = np.array([question.section for question in questions])
    names = dict.fromkeys(sections.tolist())
    return Analogies(
        [
            Section(name, *(int(column[sections == name].sum()) for column in (right, covered, np.ones_like(covered))))
            for name in names
        ]
    )


def rank_similarity(space: WordSpace, judged: Sequence[Judged]) -> Similarity:
    """Spearman's rank correlation of cosines and judgements, with a percentile interval over resampled pairs.

    Raises:
        UserError: Fewer than two pairs are covered.
    """
    rows = [(_row(space, one.first), _row(space, one.second), one.score) for one in judged]
    covered = [row for row in rows if row[0] is not None and row[1] is not None]
    if len(covered) < 2:
        raise UserError(f"of {len(judged):,} pairs fewer than two have words with vectors; give pairs of such words")
    first, second = (torch.tensor([row[side] for row in covered]) for side in (0, 1))
    cosines = F.cosine_similarity(space.vectors[first], space.vectors[second], dim=1).double().numpy()
    scores = np.array([row[2] for row in covered])
    drawn = np.random.default_rng(0).integers(len(covered), size=(ITEM_RESAMPLES, len(covered)))
    resampled = np.array([spearman(cosines[rows], scores[rows]) for rows in drawn])
    defined = resampled[~np.isnan(resampled)]
    ends = interval(defined) if len(defined) else (float("nan"), float("nan"))
    return Similarity(spearman(cosines, scores), *ends, len(covered), len(judged))


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Rank correlation of two columns ``(rows,)``; equal values share the mean of their ranks. NaN if a column is
    constant."""
    a, b = (ranks(one) - (len(one) + 1) / 2 for one in (x, y))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else float("nan")


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 on ``(rows,)``; equal values share the mean of their ranks."""
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(times)
    shared: NDArray[np.float64] = (last - (times - 1) / 2)[place]
    return shared


def _row(space: WordSpace, word: str) -> int | None:
    found = space.rows.get(word)
    return space.rows.get(word.lower()) if found is None else found
