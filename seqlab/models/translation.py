"""Translation models: sentences of one language in, sentences of another language out."""

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, cast

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from seqlab.analysis.translation_attention import translation_attention
from seqlab.analysis.translation_inspection import TranslationInspection
from seqlab.data.data_module import DataModule
from seqlab.data.loader import in_batches
from seqlab.data.pairs import EvaluationPairs, PairBatch
from seqlab.data.parallel import ParallelData
from seqlab.data.parts import Split
from seqlab.decoding.beam import Beam
from seqlab.decoding.translation import Translation, encoded, translate
from seqlab.errors import NoPartError, UserError
from seqlab.metrics import PERPLEXITY, MeanLoss, Measure, corpus_bleu, of_bleu
from seqlab.models.model import Codecs, Model
from seqlab.models.pretrained import start_from_vectors
from seqlab.models.translation_report import Losses, TranslationReport, report_of, tokenization
from seqlab.models.window import Sums
from seqlab.nn.evaluating import evaluating
from seqlab.nn.ibm1 import IBM1
from seqlab.nn.transformer_translation import TransformerTranslation
from seqlab.nn.translator import TranslatorOptions
from seqlab.options import Options
from seqlab.text.codec import Codec
from seqlab.views.translations import TranslationView

SHOWN = 4
"""Number of sentences with shown translations."""
TOGETHER = 256
"""Sentences in a batch of ``predict``."""
INCOMPLETE = "incomplete"
"""Name of the measure that counts cut translations."""


class Translated(NamedTuple):
    """A sentence, its best translation, its score, and whether it ended by itself."""

    source: str
    translation: str
    score: float
    complete: bool = True

    def __str__(self) -> str:
        return self.translation


class TranslationModel(Model):
    """A model trained on sentence pairs by teacher forcing. Its codecs are ``source`` and ``target``.

    ``longest`` is the number of tokens of the longest training sentence.
    """

    task: ClassVar[str] = "translation"
    says: ClassVar[str] = "translation model"
    unit: ClassVar[str] = "tokens"
    loss_unit: ClassVar[str] = "nats per target token"
    measures: Mapping[str, Measure] = {
        "perplexity": PERPLEXITY,
        "bleu": Measure("BLEU", "{:.2f}", "higher", resampled=of_bleu),
    }

    longest: int = 50

    def build(self) -> nn.Module:
        made = super().build()
        start_from_vectors(self, made, self.source_codec, "source", "encoder")
        start_from_vectors(self, made, self.target_codec, "target", "decoder")
        return made

    @property
    def source_codec(self) -> Codec:
        """The codec of the source text."""
        return self.codec_named("source", Codec)

    @property
    def target_codec(self) -> Codec:
        """The codec of the target text."""
        return self.codec_named("target", Codec)

    @classmethod
    def from_checkpoint(cls, checkpoint: Mapping[str, Any], options: Options, codecs: Codecs, name: str) -> Self:
        made = super().from_checkpoint(checkpoint, options, codecs, name)
        made.longest = (checkpoint["seqlab"].get("data") or {}).get("max_length", cls.longest)
        return made

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = getattr(self.trainer, "datamodule", None)
        if stage == "fit" and isinstance(data, ParallelData):
            self.longest = data.max_length

    def beam(
        self,
        size: int = 1,
        *,
        min_length: int = 0,
        max_length: int | None = None,
        length_factor: float | None = None,
        length_addend: int | None = None,
        **how: Any,
    ) -> Beam:
        """The beam of a search, by default greedy.

        Args:
            size: Hypotheses kept at every step.
            min_length: Fewest tokens of a translation.
            max_length: Most tokens, for any source; if not given, as many as the longest training sentence, and more
                for a long source.
            length_factor: Tokens allowed per source token; as in the model's options if not given.
            length_addend: Additional tokens allowed; as in the model's options if not given.
            how: Other fields of a beam.
        """
        own = self.options if max_length is None else None
        return Beam(
            size,
            min_length=min_length,
            max_length=max(self.longest, min_length) if max_length is None else max_length,
            length_factor=getattr(own, "length_factor", 0.0) if length_factor is None else length_factor,
            length_addend=getattr(own, "length_addend", 0) if length_addend is None else length_addend,
            **how,
        )

    def forward(self, source: Tensor, lengths: Tensor, inputs: Tensor) -> Tensor:
        """Logits ``(batch, time, target_vocab_size)``, of the network."""
        logits: Tensor = self.network(source, lengths, inputs)
        return logits

    def loss(self, batch: PairBatch, stage: str) -> Sums:
        tokens = batch.valid.sum()
        options = self.options
        if stage != "train" or not isinstance(options, TranslatorOptions):
            return Sums(self.network.nats(*batch), tokens)
        asked = {"smoothing": options.label_smoothing, "sampling": options.scheduled_sampling}
        return Sums(self.network.nats(*batch, **asked), tokens)

    def scores(self, data: DataModule, stage: str) -> dict[str, float]:
        sentences = getattr(self.options, "bleu_sentences", 0) if stage == "val" else 0
        pairs = data.pairs("val")[:sentences] if isinstance(data, ParallelData) and data.has("val") else []
        if not pairs:
            return {}
        said = [best[0] for best in self.translations([source for source, _ in pairs])]
        wanted = [self.target_codec.reference(target) for _, target in pairs]
        assert isinstance(data, ParallelData)
        bleu = corpus_bleu([one.text for one in said], wanted, tokenization(None, data.target_language, wanted)).value
        return {"bleu": bleu, INCOMPLETE: float(sum(not one.complete for one in said))}

    def remarks(self, measured: Mapping[str, float]) -> list[str]:
        if not measured.get(f"val/{INCOMPLETE}"):
            return []
        count, sentences = int(measured[f"val/{INCOMPLETE}"]), getattr(self.options, "bleu_sentences", 0)
        return [
            f"Of the translations that the last val/bleu was measured on (at most {sentences:,}), {count:,} were cut: "
            "--model.length_factor and --model.length_addend give them more tokens."
        ]

    @torch.no_grad()
    def translations(
        self,
        sentences: Sequence[str],
        beam: Beam | None = None,
        attention: bool = False,
        prefix: str = "",
        progress: bool = False,
    ) -> list[list[Translation]]:
        """Translations of each sentence, the best first; greedy without a beam. See
        ``seqlab.decoding.translation.translate``."""
        if isinstance(self.network, IBM1):
            return self._word_for_word(sentences)
        with evaluating(self):
            codecs = self.source_codec, self.target_codec
            return translate(self.network, *codecs, sentences, beam or self.beam(), attention, prefix, progress)

    def _word_for_word(self, sentences: Sequence[str]) -> list[list[Translation]]:
        assert isinstance(self.network, IBM1)
        ids = encoded(self.source_codec, sentences)
        said = self.network.translate_ids(ids)
        tokens = [
            (self.source_codec.vocab.tokens(a), self.target_codec.vocab.tokens(b))
            for a, b in zip(ids, said, strict=True)
        ]
        texts = [self.target_codec.written(row) for row in said]
        return [[Translation(text, 0.0, *pair, None)] for text, pair in zip(texts, tokens, strict=True)]

    def translate(
        self,
        sentences: str | Sequence[str],
        *,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        coverage_penalty: float = 0.0,
        min_length: int = 0,
        max_length: int | None = None,
        length_factor: float | None = None,
        length_addend: int | None = None,
        no_repeat_ngram: int = 0,
        n_best: int = 1,
        prefix: str = "",
    ) -> list[list[str]]:
        """Translates sentences.

        Args:
            sentences: Sentences to translate.
            beam_size: Hypotheses kept at every step; 1 is greedy.
            length_penalty: Exponent of the length penalty of Wu et al. (2016); 0 ranks by probability alone.
            coverage_penalty: Weight of the coverage penalty for source words without attention; needs attention.
            min_length: Fewest tokens of a translation.
            max_length: Most tokens of a translation, for any source; if not given, as many as the longest sentence that
                the model was trained on, and more for a long source.
            length_factor: Tokens allowed per source token; as in training if not given.
            length_addend: Additional tokens allowed; as in training if not given.
            no_repeat_ngram: No n-gram of this length occurs twice; 0 allows all.
            n_best: Translations of each sentence, at most beam_size.
            prefix: Text that every translation starts with.

        Returns:
            For each sentence its translations, best first.

        Raises:
            UserError: A sentence is empty, or an option is out of its range.
        """
        beam = self.beam(
            beam_size,
            length_penalty=length_penalty,
            coverage_penalty=coverage_penalty,
            min_length=min_length,
            max_length=max_length,
            length_factor=length_factor,
            length_addend=length_addend,
            no_repeat_ngram=no_repeat_ngram,
            n_best=n_best,
        )
        self.check_finite()
        given = [sentences] if isinstance(sentences, str) else sentences
        return [[one.text for one in best] for best in self.translations(given, beam, prefix=prefix)]

    def predict(
        self,
        inputs: Iterable[str],
        *,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        max_length: int | None = None,
        length_factor: float | None = None,
        length_addend: int | None = None,
    ) -> Iterator[Translated]:
        """Translates each of several sentences.

        Args:
            inputs: Sentences.
            beam_size: Hypotheses kept at every step; 1 is greedy.
            length_penalty: Exponent of the length penalty of Wu et al. (2016); 0 ranks by probability alone.
            max_length: Most tokens of a translation, for any source; if not given, as many as the longest sentence that
                the model was trained on, and more for a long source.
            length_factor: Tokens allowed per source token; as in training if not given.
            length_addend: Additional tokens allowed; as in training if not given.
        """
        beam = self.beam(
            beam_size,
            length_penalty=length_penalty,
            max_length=max_length,
            length_factor=length_factor,
            length_addend=length_addend,
        )
        self.check_finite()
        for together in in_batches(inputs, TOGETHER):
            for source, best in zip(together, self.translations(together, beam), strict=True):
                yield Translated(source, best[0].text, best[0].score, best[0].complete)

    def inspect(
        self, data: Callable[[], DataModule], *, text: str | None = None, beam_size: int = 5
    ) -> TranslationInspection:
        """Shows what the heads of a Transformer look at in a sentence and its translation.

        Args:
            data: The corpus that the model was trained on.
            text: Sentence to translate; if not given, the middle one of the held-out part of that corpus.
            beam_size: Hypotheses kept at every step; 1 is greedy.

        Raises:
            UserError: The model is no Transformer, the sentence is empty, or beam_size is out of its range.
        """
        if not isinstance(self.network, TransformerTranslation):
            if getattr(self.network, "attends", False):
                raise UserError(f"{self.run} has attention without heads; translate --attention FILE.png draws it")
            raise UserError(f"{self.run} has no attention to look at; give a Transformer")
        self.check_finite()
        beam = self.beam(beam_size)
        if text is None:
            corpus = data()
            sentences = corpus.inputs(corpus.last_part)
            text = sentences[len(sentences) // 2]
        ((best, *_),) = self.translations([text], beam)
        attention = translation_attention(self.network, self.source_codec, self.target_codec, best.source, best.target)
        return TranslationInspection(self.run, text, best.text, attention)

    @torch.inference_mode()
    def evaluate(
        self,
        data: DataModule,
        split: Split = "test",
        items: bool = False,
        *,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        max_length: int | None = None,
        length_factor: float | None = None,
        length_addend: int | None = None,
        sentences: int | None = None,
        tokenize: str | None = None,
    ) -> TranslationReport:
        """Measures the translation of one part of a corpus; the loss uses teacher forcing on every sentence.

        Args:
            data: The corpus, with this model's codecs.
            split: Part of the data.
            items: Whether the report also has results for each sentence.
            beam_size: Hypotheses that translation keeps at every step; 1 is greedy.
            length_penalty: Exponent of the length penalty.
            max_length: Most tokens of a translation, for any source; if not given, as many as the longest sentence that
                the model was trained on, and more for a long source.
            length_factor: Tokens allowed per source token; as in training if not given.
            length_addend: Additional tokens allowed; as in training if not given.
            sentences: Translate only this many first sentences; all if not given.
            tokenize: Tokenizer of sacrebleu for BLEU: 13a, intl, zh, ja-mecab, ko-mecab, char, flores200 or none; by
                default chosen by the target language.

        Raises:
            NoPartError: The part is empty.
            UserError: An option is out of its range.
        """
        if not isinstance(data, ParallelData):
            raise UserError("a translation model is measured on sentence pairs; give --data parallel or fra_eng")
        if sentences is not None and sentences < 1:
            raise UserError(f"sentences {sentences} must be a whole number of at least 1, or left out")
        beam = self.beam(
            beam_size,
            length_penalty=length_penalty,
            max_length=max_length,
            length_factor=length_factor,
            length_addend=length_addend,
        )
        self.check_finite()
        with evaluating(self):
            losses = self._losses(data, split, items)
        pairs = data.pairs(split)[:sentences]
        if not pairs:
            raise NoPartError(f"the corpus '{data.corpus_name}' has no {split} part to translate")
        started = time.monotonic()
        found = [best[0] for best in self.translations([source for source, _ in pairs], beam, progress=True)]
        return report_of(
            data,
            split,
            losses,
            pairs,
            found,
            self.target_codec,
            seconds=time.monotonic() - started,
            search=self._search(beam),
            tokenize=tokenize,
        )

    def _search(self, beam: Beam) -> str:
        if isinstance(self.network, IBM1):
            return "word for word"
        return f"beam of {beam.size}" if beam.size > 1 else "greedy"

    def _losses(self, data: ParallelData, split: Split, items: bool) -> Losses:
        """Losses of the target tokens of a part; with ``items`` also those of each sentence."""
        total, loader = MeanLoss(alone=True).to(self.device), data.evaluation_loader(split)
        found: dict[int, tuple[float, int]] = {}
        for index, batch in enumerate(loader):
            own = PairBatch(*(part.to(self.device) for part in batch))
            total.update(self.network.nats(*own), own.valid.sum())
            if items:
                rows = cast(EvaluationPairs, loader.batches).places(index).tolist()
                nats, tokens = self.network.sentence_nats(*own).tolist(), own.valid.sum(1).tolist()
                found |= dict(zip(rows, zip(nats, tokens, strict=True), strict=True))
        each = [found[row] for row in sorted(found)] if items else None
        return Losses(float(total.compute()), int(total.count), each)

    def count(self, data: DataModule) -> None:
        assert isinstance(data, ParallelData)
        pairs = data.encoded("train")
        self.network.count(pairs.sources.rows(), pairs.targets.rows())

    @staticmethod
    def shown_sources(data: ParallelData) -> list[str]:
        """A few sources, spread over a held-out part if there is one."""
        sources = list(dict.fromkeys(source for source, _ in data.pairs(data.watched_part)))
        return sources[:: max(1, len(sources) // SHOWN)][:SHOWN]

    def sample(self, data: DataModule) -> str:
        assert isinstance(data, ParallelData)
        shown = self.shown_sources(data)
        said = [best[0].text for best in self.translations(shown)]
        return "\n".join(f"{source} -> {text}" for source, text in zip(shown, said, strict=True))

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [TranslationView(pictures)] if self.options.by_gradients else []

    def command(self, data: DataModule, checkpoint: str) -> str:
        assert isinstance(data, ParallelData)
        sources = self.shown_sources(data)
        return f"python -m seqlab.translate {checkpoint} {shlex.quote(min(sources, key=len))}"
