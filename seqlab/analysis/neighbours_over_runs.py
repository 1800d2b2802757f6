"""Reliable neighbours of a word: those that several runs share."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from seqlab.analysis.word_queries import WordSpace


class Agreed(NamedTuple):
    """One neighbour of a word.

    Args:
        share: Share of the runs in which it is among the nearest.
        cosine: Mean cosine over all runs.
    """

    share: float
    cosine: float


class OverRuns(NamedTuple):
    """The neighbours of a word in several runs.

    Args:
        runs: Number of runs.
        nearest: The most shared neighbours, as many as each run has, then sorted by cosine.
        others: Number of other words among the nearest of at least one run.
        overlap: Share of nearest words that two runs have in common, mean over all pairs of runs (Wendlandt et al.
            2018, N18-1190); NaN for one run.
    """

    runs: int
    nearest: dict[str, Agreed]
    others: int
    overlap: float

    def __str__(self) -> str:
        said = (
            f"{word} {one.share * self.runs:.0f}/{self.runs} {one.cosine:.2f}" for word, one in self.nearest.items()
        )
        others = f"; {self.others} more in some" if self.others else ""
        return f"{'  '.join(said)}{others}; overlap of two runs {self.overlap:.0%}"


def over_runs(spaces: Sequence[WordSpace], word: str, k: int) -> OverRuns:
    """Compares the k nearest words of a word over runs (Antoniak & Mimno 2018, Q18-1008, do so over samples).

    Args:
        spaces: Spaces of the runs; all have the word.
        word: The word.
        k: Number of nearest words.
    """
    near = [{*space.near(word, k).neighbours} for space in spaces]
    seen = {other: sum(other in one for one in near) / len(near) for one in near for other in one}
    means = {other: sum(_cosine(space, word, other) for space in spaces) / len(spaces) for other in seen}
    order = sorted(seen, key=lambda other: (-seen[other], -means[other], other))
    pairs = [len(a & b) / max(1, len(a), len(b)) for a, b in combinations(near, 2)]
    agreed = {other: Agreed(seen[other], means[other]) for other in order[:k]}
    return OverRuns(len(spaces), agreed, max(0, len(order) - k), sum(pairs) / len(pairs) if pairs else float("nan"))


def _cosine(space: WordSpace, word: str, other: str) -> float:
    """Cosine of two words; 0 if a run does not know the other word."""
    if other not in space.rows:
        return 0.0
    return float(space.unit[space.rows[word]] @ space.unit[space.rows[other]])
