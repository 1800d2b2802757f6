"""What ``evaluate`` says of a translation model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import regex

from seqlab.errors import UserError, nearest, reason_of
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
        ceiling: BLEU of what the tokens of the references themselves say: no model of these tokens reaches more.
    """

    sentences: int
    bleu: Score
    chrf: Score
    bleu_book: float
    buckets: Sequence[Bucket]
    search: str
    incomplete: int = 0
    ceiling: float = 100.0

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
        bounded = self.ceiling < 99.995
        return {
            "corpus": self.measured_on,
            "loss": f"{self.loss:.4f} nats per target token",
            "perplexity": f"{self.perplexity:.4f}",
            "BLEU": f"{self.bleu.value:.2f}   {self.bleu.signature}",
            **({"BLEU ceiling": f"{self.ceiling:.2f}   of the references' own tokens"} if bounded else {}),
            "chrF2": f"{self.chrf.value:.2f}   {self.chrf.signature}",
            "the book's BLEU": f"{100 * self.bleu_book:.2f}, mean of sentences, bigrams",
            **{f"BLEU, {one.name}": f"{one.bleu:.2f}   {one.sentences:,} sentences" for one in self.buckets},
            "counted": f"{self.sentences:,} sentences, {self.tokens:,} target tokens, each once",
            "search": self.search,
            **({"cut": f"{self.incomplete:,} {ROOM}"} if self.incomplete else {}),
            "time": f"{self.seconds:.1f} s, {self.sentences / self.seconds:,.0f} sentences/s",
        }


OF_LANGUAGE = {
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue"), "zh"),
    **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
    **dict.fromkeys(("ko", "kor"), "ko-mecab"),
    **dict.fromkeys(("th", "tha", "lo", "lao", "km", "khm", "my", "mya"), "char"),
}
"""How sacrebleu cuts a language that 13a does not fit, by its code."""
OF_SCRIPT = {
    "ja-mecab": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "ko-mecab": regex.compile(r"\p{Hangul}"),
    "char": regex.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"),
    "zh": regex.compile(r"\p{Han}"),
}
LETTER = regex.compile(r"\p{L}")
SHARE = 0.2
"""Of the letters of a text, so many tell its script."""


def tokenization(asked: str | None, language: str | None, texts: Sequence[str]) -> str:
    """How sacrebleu is to cut translations into words.

    Args:
        asked: By name; the rest then counts for nothing.
        language: Code of the language, where it is known.
        texts: In that language; their script tells where its name is not known.

    Raises:
        UserError: There is no such way, or it needs something that is not installed.
    """
    import sacrebleu

    if asked is not None and asked not in sacrebleu.BLEU.TOKENIZERS:
        raise UserError(f"unknown tokenize '{asked}': {nearest(asked, sacrebleu.BLEU.TOKENIZERS)}")
    chosen = asked or _of_script(texts) if language is None else asked or OF_LANGUAGE.get(language, "13a")
    try:
        sacrebleu.BLEU(tokenize=chosen)
    except Exception as error:  # of whatever package sacrebleu lacks for it
        if asked is None:
            return "char"
        raise UserError(f"tokenize '{asked}' cannot be had: {reason_of(error)}; or give another --tokenize") from None
    return chosen


def _of_script(texts: Sequence[str]) -> str:
    text = "".join(texts)
    letters = max(1, len(LETTER.findall(text)))
    found = (name for name, script in OF_SCRIPT.items() if len(script.findall(text)) >= SHARE * letters)
    return next(found, "13a")


def buckets_of(sources: Sequence[str], said: Sequence[str], wanted: Sequence[str], tokenize: str) -> list[Bucket]:
    """BLEU of the sentences of some lengths, by themselves."""
    buckets = []
    for least, most in LENGTHS:
        rows = [row for row, source in enumerate(sources) if least <= len(source.split()) <= most]
        if rows:
            name = f"{least} or more words" if most == math.inf else f"{least} to {most} words"
            score = corpus_bleu([said[row] for row in rows], [wanted[row] for row in rows], tokenize)
            buckets.append(Bucket(name, len(rows), score.value))
    return buckets
