"""How well a model translates: what ``seqlab.evaluate`` says of an encoder-decoder."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from seqlab.data.pairs import PairBatch
from seqlab.data.parallel import ParallelData
from seqlab.data.text_files import Split
from seqlab.decoding.beam import Beam
from seqlab.decoding.translation import detokenize, translate
from seqlab.errors import UserError
from seqlab.metrics import Score, TokenLoss, bleu_book, corpus_bleu, corpus_chrf, perplexity
from seqlab.models.translation import Seq2Seq

LENGTHS = ((1, 4), (5, 6), (7, 9), (10, math.inf))
"""Source lengths, in words, that are scored by themselves."""


@dataclass(frozen=True)
class Bucket:
    """The sentences of some length: their name, how many, their BLEU."""

    name: str
    sentences: int
    bleu: float


@dataclass(frozen=True)
class TranslationEvaluation:
    """How well a model translates a corpus, and what was counted.

    Args:
        corpus: Name of the corpus.
        split: Part of it.
        loss: Mean cross-entropy of the references under teacher forcing, nats per token.
        tokens: Target tokens, with the ends.
        sentences: How many were translated.
        bleu: Of the corpus.
        chrf: Of the corpus.
        bleu_book: The book's BLEU of a sentence, its mean.
        buckets: BLEU by the length of the source.
        beam_size: Of the search.
        seconds: Wall time of the translations.
    """

    corpus: str
    split: str
    loss: float
    tokens: int
    sentences: int
    bleu: Score
    chrf: Score
    bleu_book: float
    buckets: Sequence[Bucket]
    beam_size: int
    seconds: float

    @property
    def perplexity(self) -> float:
        """exp of the loss."""
        return perplexity(self.loss)

    def __str__(self) -> str:
        rows = {
            "corpus": f"{self.corpus}, {self.split} part",
            "loss": f"{self.loss:.4f} nats per target token",
            "perplexity": f"{self.perplexity:.4f}",
            "BLEU": f"{self.bleu.value:.2f}   {self.bleu.signature}",
            "chrF2": f"{self.chrf.value:.2f}   {self.chrf.signature}",
            "the book's BLEU": f"{100 * self.bleu_book:.2f}, mean of sentences, bigrams",
            **{f"BLEU, {one.name}": f"{one.bleu:.2f}   {one.sentences:,} sentences" for one in self.buckets},
            "counted": f"{self.sentences:,} sentences, {self.tokens:,} target tokens, each once",
            "search": f"beam of {self.beam_size}" if self.beam_size > 1 else "greedy",
            "time": f"{self.seconds:.1f} s, {self.sentences / self.seconds:,.0f} sentences/s",
        }
        return "\n".join(f"{name:<24}{value}" for name, value in rows.items())


@torch.inference_mode()
def evaluate_translation(
    model: Seq2Seq, data: ParallelData, split: Split, device: torch.device, beam: Beam, sentences: int | None
) -> TranslationEvaluation:
    """Measures a model on one part of a corpus.

    Args:
        model: In evaluation mode.
        data: The corpus.
        split: Part of it.
        device: To run on.
        beam: How to search.
        sentences: Translate only the first so many; all if not given. The loss is of all.

    Raises:
        UserError: The part is empty.
    """
    model.to(device)
    total = TokenLoss().to(device)
    for batch in data.evaluation_loader(split):
        own = PairBatch(*(part.to(device) for part in batch))
        total.update(model.network.nats(*own), own.valid.sum())
    pairs = data.pairs(split)[:sentences]
    if not pairs:
        raise UserError(f"the corpus '{data.corpus_name}' has no {split} part to translate")
    sources = [source for source, _ in pairs]
    started = time.monotonic()
    found = translate(model.network, model.source_codec, model.target_codec, sources, beam, progress=True)
    seconds = time.monotonic() - started
    said = [best[0].text for best in found]
    wanted = [model.target_codec.clean(target) for _, target in pairs]
    spoken = [model.target_codec.clean(text) for text in said]
    book = sum(bleu_book(*pair) for pair in zip(spoken, wanted, strict=True)) / len(pairs)
    references = [detokenize(text) for text in wanted]
    return TranslationEvaluation(
        data.corpus_name,
        split,
        float(total.compute()),
        int(total.tokens),
        len(pairs),
        corpus_bleu(said, references),
        corpus_chrf(said, references),
        book,
        _buckets(sources, said, references),
        beam.size,
        seconds,
    )


def _buckets(sources: Sequence[str], said: Sequence[str], wanted: Sequence[str]) -> list[Bucket]:
    buckets = []
    for least, most in LENGTHS:
        rows = [row for row, source in enumerate(sources) if least <= len(source.split()) <= most]
        if rows:
            name = f"{least} or more words" if most == math.inf else f"{least} to {most} words"
            score = corpus_bleu([said[row] for row in rows], [wanted[row] for row in rows])
            buckets.append(Bucket(name, len(rows), score.value))
    return buckets
