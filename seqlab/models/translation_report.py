"""The report of ``evaluate`` for a translation model."""

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
"""Ranges of source lengths, in words, with separate scores."""

MISSING = "\ufffd"
"""Replaces a word that the vocabulary lacks; no reference has it."""

SHORT = "no reference has 4 words, as BLEU needs, so BLEU is 0 for any translation; see chrF2 instead"

ROOM = "translations at their token limit; --length_factor and --length_addend raise the limit"


@dataclass(frozen=True)
class Bucket:
    """Sentences of similar length: name, number, BLEU, and whether any reference has 4 words."""

    name: str
    sentences: int
    bleu: float
    measurable: bool = True


@dataclass(frozen=True, kw_only=True)
class TranslationReport(Report):
    """Measures of a translation model on a corpus, and the counts behind them.

    Args:
        sentences: Number of translated sentences.
        bleu: BLEU of the corpus.
        chrf: chrF of the corpus.
        bleu_book: Mean over sentences of the BLEU in Dive into Deep Learning.
        buckets: BLEU by the length of the source.
        search: Search method, in words.
        incomplete: Number of translations cut at their token limit.
        ceiling: BLEU of the references after encoding and decoding: no model with these tokens can reach more.
        measurable: Whether any reference has 4 words in a row, as BLEU needs.
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
    """Mean nats of the target tokens of a part, their number, and optionally nats and tokens of each sentence."""

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
    """The report of the translations of one part.

    Args:
        data: The corpus.
        split: Part of the data.
        losses: Losses of all its sentences; if they hold each sentence, the report has results for each sentence.
        pairs: Translated sentences and their references, the first of the part.
        found: Their translations.
        codec: Codec of the target.
        seconds: Time of translating, in seconds.
        search: Search method, in words.
        tokenize: Tokenizer of sacrebleu; set by the target language if not given.
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
    """Whether the references themselves would have a BLEU above 0."""
    return corpus_bleu(references, references, tokenize).value > 0


OF_LANGUAGE = {
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue"), "zh"),
    **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
    **dict.fromkeys(("ko", "kor"), "ko-mecab"),
    **dict.fromkeys(("th", "tha", "lo", "lao", "km", "khm", "my", "mya"), "char"),
}
"""Tokenizers of sacrebleu for languages that 13a does not fit, by language code."""
OF_SCRIPT = {
    "ja-mecab": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "ko-mecab": regex.compile(r"\p{Hangul}"),
    "char": regex.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"),
    "zh": regex.compile(r"\p{Han}"),
}
LETTER = regex.compile(r"\p{L}")
SHARE = 0.2
"""Share of a script's letters from which on it is the script of a text."""


def tokenization(asked: str | None, language: str | None, texts: Sequence[str]) -> str:
    """The tokenizer of sacrebleu for translations.

    Args:
        asked: Name of the tokenizer; the other arguments are then ignored.
        language: Code of the language, if known.
        texts: Texts in that language; their script decides if the language is not known.

    Raises:
        UserError: There is no such tokenizer, or it needs a package that is not installed.
    """
    import sacrebleu

    if asked is not None and asked not in sacrebleu.BLEU.TOKENIZERS:
        raise UserError(f"unknown tokenize '{asked}': {nearest(asked, sacrebleu.BLEU.TOKENIZERS)}")
    chosen = asked or _of_script(texts) if language is None else asked or OF_LANGUAGE.get(language, "13a")
    try:
        sacrebleu.BLEU(tokenize=chosen)
    except Exception as error:  # any exception of a package that sacrebleu needs
        if asked is None:
            return "char"
        raise UserError(f"tokenize '{asked}' does not work: {reason_of(error)}; or give another --tokenize") from None
    return chosen


def _of_script(texts: Sequence[str]) -> str:
    text = "".join(texts)
    letters = max(1, len(LETTER.findall(text)))
    found = (name for name, script in OF_SCRIPT.items() if len(script.findall(text)) >= SHARE * letters)
    return next(found, "13a")


def buckets_of(sources: Sequence[str], said: Sequence[str], wanted: Sequence[str], tokenize: str) -> list[Bucket]:
    """BLEU of the sentences in each range of lengths."""
    buckets = []
    for least, most in LENGTHS:
        rows = [row for row, source in enumerate(sources) if least <= len(source.split()) <= most]
        if rows:
            name = f"{least} or more words" if most == math.inf else f"{least} to {most} words"
            references = [wanted[row] for row in rows]
            score = corpus_bleu([said[row] for row in rows], references, tokenize).value
            buckets.append(Bucket(name, len(rows), score, score > 0 or _measurable(references, tokenize)))
    return buckets
