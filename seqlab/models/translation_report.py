"""What ``evaluate`` says of a translation model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import regex

from seqlab.data.parallel import ParallelData
from seqlab.data.parts import Split
from seqlab.decoding.translation import Translation
from seqlab.errors import UserError, nearest, reason_of
from seqlab.metrics import Report, Score, bleu_book, bleu_columns, corpus_bleu, corpus_chrf, perplexity
from seqlab.text.codec import Codec
from seqlab.text.vocab import UNK

LENGTHS = ((1, 4), (5, 6), (7, 9), (10, math.inf))
"""Source lengths, in words, that are scored by themselves."""

MISSING = "\ufffd"
"""Stands for a word that a vocabulary lacks; no reference has it."""

SHORT = "no reference has the 4 words that BLEU looks for, so that it is 0 whatever is said; chrF2 tells more"

ROOM = "translations at their most tokens; --length_factor and --length_addend give them more"


@dataclass(frozen=True)
class Bucket:
    """The sentences of some length: their name, how many, their BLEU, and whether any reference has its 4 words."""

    name: str
    sentences: int
    bleu: float
    measurable: bool = True


@dataclass(frozen=True, kw_only=True)
class TranslationReport(Report):
    """How well a model translates a corpus, and what was counted.

    Args:
        sentences: How many were translated.
        bleu: BLEU of the corpus.
        chrf: chrF of the corpus.
        bleu_book: The book's BLEU of a sentence, its mean.
        buckets: BLEU by the length of the source.
        search: How translations were found.
        incomplete: How many of them were cut at their most tokens.
        ceiling: BLEU of what the tokens of the references themselves say: no model of these tokens reaches more.
        measurable: Whether any reference has the 4 words in a row that BLEU looks for.
    """

    sentences: int
    bleu: Score
    chrf: Score
    bleu_book: float
    buckets: Sequence[Bucket]
    search: str
    incomplete: int = 0
    ceiling: float = 100.0
    measurable: bool = True

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
        bounded = self.measurable and self.ceiling < 99.995
        return {
            "corpus": self.measured_on,
            "loss": f"{self.loss:.4f} nats per target token",
            "perplexity": f"{self.perplexity:.4f}",
            "BLEU": f"{self.bleu.value:.2f}   {self.bleu.signature}",
            **({} if self.measurable else {"BLEU is 0": SHORT}),
            **({"BLEU ceiling": f"{self.ceiling:.2f}   of the references' own tokens"} if bounded else {}),
            "chrF2": f"{self.chrf.value:.2f}   {self.chrf.signature}",
            "the book's BLEU": f"{100 * self.bleu_book:.2f}, mean of sentences, bigrams",
            **{f"BLEU, {one.name}": _row(one) for one in self.buckets},
            "counted": f"{self.sentences:,} sentences, {self.tokens:,} target tokens, each once",
            "search": self.search,
            **({"cut": f"{self.incomplete:,} {ROOM}"} if self.incomplete else {}),
            "time": f"{self.seconds:.1f} s, {self.sentences / self.seconds:,.0f} sentences/s",
        }


def _row(bucket: Bucket) -> str:
    short = "" if bucket.measurable else ", no reference of 4 words"
    return f"{bucket.bleu:.2f}   {bucket.sentences:,} sentences{short}"


class Losses(NamedTuple):
    """Mean nats of the target tokens of a part, how many these are, and nats and tokens of each sentence if asked."""

    mean: float
    tokens: int
    each: Sequence[tuple[float, int]] | None


def report_of(
    data: ParallelData,
    split: Split,
    losses: Losses,
    pairs: Sequence[tuple[str, str]],
    found: Sequence[Translation],
    codec: Codec,
    *,
    seconds: float,
    search: str,
    tokenize: str | None,
) -> TranslationReport:
    """What translations of one part are worth.

    Args:
        data: The corpus.
        split: Part of it.
        losses: Losses of all its sentences; with those of each the report tells of each sentence too.
        pairs: Sentences and references that were translated, the first of the part.
        found: Their translations.
        codec: Codec of the target.
        seconds: That translating took.
        search: How translations were found.
        tokenize: How sacrebleu cuts words; by the target language if not given.
    """
    sources, said = [source for source, _ in pairs], [one.text for one in found]
    references = [codec.reference(target) for _, target in pairs]
    words = tokenization(tokenize, data.target_language, references)
    own = [codec.written(codec.encode(target)).replace(UNK, MISSING) for _, target in pairs]
    spoken = [(codec.clean(text), codec.clean(target)) for text, (_, target) in zip(said, pairs, strict=True)]
    columns: dict[str, Sequence[Any]] = {}
    if losses.each is not None:
        nats, tokens = zip(*losses.each[: len(pairs)], strict=True)
        columns = {"item": [*range(len(pairs))], "nats": [*nats], "tokens": [*tokens]}
        columns |= {**bleu_columns(said, references, words)}
        columns |= {"source": sources, "reference": references, "translation": said}
    bleu = corpus_bleu(said, references, words)
    return TranslationReport(
        corpus=data.corpus_name,
        split=split,
        loss=losses.mean,
        count=losses.tokens,
        seconds=seconds,
        measures={"perplexity": perplexity(losses.mean), "bleu": bleu.value},
        items=columns,
        sentences=len(pairs),
        bleu=bleu,
        chrf=corpus_chrf(said, references),
        bleu_book=sum(bleu_book(*pair) for pair in spoken) / len(pairs),
        buckets=buckets_of(sources, said, references, words),
        search=search,
        incomplete=sum(not one.complete for one in found),
        ceiling=100.0 if own == references else corpus_bleu(own, references, words).value,
        measurable=bleu.value > 0 or _measurable(references, words),
    )


def _measurable(references: Sequence[str], tokenize: str) -> bool:
    """Whether saying the very references would have a BLEU above 0."""
    return corpus_bleu(references, references, tokenize).value > 0


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
            references = [wanted[row] for row in rows]
            score = corpus_bleu([said[row] for row in rows], references, tokenize).value
            buckets.append(Bucket(name, len(rows), score, score > 0 or _measurable(references, tokenize)))
    return buckets
