"""What ``evaluate`` says of a translation model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from seqlab.metrics import Report, Score, corpus_bleu, perplexity

LENGTHS = ((1, 4), (5, 6), (7, 9), (10, math.inf))
"""Source lengths, in words, that are scored by themselves."""

ROOM = "translations at their most tokens; --length_factor and --length_addend give them more"


@dataclass(frozen=True)
class Bucket:
    """The sentences of some length: their name, how many, their BLEU."""

    name: str
    sentences: int
    bleu: float


@dataclass(frozen=True, kw_only=True)
class TranslationReport(Report):
    """How well a model translates a corpus, and what was counted.

    Args:
        sentences: How many were translated.
        bleu: Of the corpus.
        chrf: Of the corpus.
        bleu_book: The book's BLEU of a sentence, its mean.
        buckets: BLEU by the length of the source.
        search: How translations were found.
        incomplete: How many of them were cut at their most tokens.
    """

    sentences: int
    bleu: Score
    chrf: Score
    bleu_book: float
    buckets: Sequence[Bucket]
    search: str
    incomplete: int = 0

    WIDTH: ClassVar[int] = 24

    @property
    def tokens(self) -> int:
        """Target tokens, with the ends."""
        return self.count

    @property
    def perplexity(self) -> float:
        """exp of the loss."""
        return perplexity(self.loss)

    def rows(self) -> dict[str, str]:
        return {
            "corpus": self.part,
            "loss": f"{self.loss:.4f} nats per target token",
            "perplexity": f"{self.perplexity:.4f}",
            "BLEU": f"{self.bleu.value:.2f}   {self.bleu.signature}",
            "chrF2": f"{self.chrf.value:.2f}   {self.chrf.signature}",
            "the book's BLEU": f"{100 * self.bleu_book:.2f}, mean of sentences, bigrams",
            **{f"BLEU, {one.name}": f"{one.bleu:.2f}   {one.sentences:,} sentences" for one in self.buckets},
            "counted": f"{self.sentences:,} sentences, {self.tokens:,} target tokens, each once",
            "search": self.search,
            **({"cut": f"{self.incomplete:,} {ROOM}"} if self.incomplete else {}),
            "time": f"{self.seconds:.1f} s, {self.sentences / self.seconds:,.0f} sentences/s",
        }


def buckets_of(sources: Sequence[str], said: Sequence[str], wanted: Sequence[str]) -> list[Bucket]:
    """BLEU of the sentences of some lengths, by themselves."""
    buckets = []
    for least, most in LENGTHS:
        rows = [row for row, source in enumerate(sources) if least <= len(source.split()) <= most]
        if rows:
            name = f"{least} or more words" if most == math.inf else f"{least} to {most} words"
            score = corpus_bleu([said[row] for row in rows], [wanted[row] for row in rows])
            buckets.append(Bucket(name, len(rows), score.value))
    return buckets
