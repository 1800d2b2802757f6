"""Translation models: sentences in one language, sentences in another out."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, cast

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from seqlab.data.data_module import DataModule
from seqlab.data.loader import in_batches
from seqlab.data.pairs import EvaluationPairs, PairBatch
from seqlab.data.parallel import ParallelData
from seqlab.data.text_files import Split
from seqlab.decoding.beam import Beam
from seqlab.decoding.translation import GREEDY, Translation, detokenize, encoded, translate
from seqlab.errors import UserError
from seqlab.metrics import PERPLEXITY, MeanLoss, Measure, bleu_book, bleu_columns, corpus_bleu, corpus_chrf, of_bleu
from seqlab.models.model import Model
from seqlab.models.pretrained import set_vectors
from seqlab.models.translation_report import TranslationReport, buckets_of
from seqlab.models.window import Sums
from seqlab.nn.ibm1 import IBM1
from seqlab.nn.translation_network import TranslationOptions
from seqlab.text.codec import Codec
from seqlab.views.translations import TranslationView

SHOWN = 4
"""Sentences whose translations are shown."""
TOGETHER = 256
"""Sentences that ``predict`` translates at once."""


class Translated(NamedTuple):
    """A sentence, its best translation, and what that was ranked by."""

    source: str
    translation: str
    score: float

    def __str__(self) -> str:
        return self.translation


class TranslationModel(Model):
    """A model trained on pairs of sentences, by teacher forcing. Its codecs are ``source`` and ``target``."""

    task: ClassVar[str] = "translation"
    says: ClassVar[str] = "translation model"
    unit: ClassVar[str] = "tokens"
    loss_unit: ClassVar[str] = "nats per target token"
    measures: Mapping[str, Measure] = {
        "perplexity": PERPLEXITY,
        "bleu": Measure("BLEU", "{:.2f}", "higher", resampled=of_bleu),
    }

    def build(self) -> nn.Module:
        made = super().build()
        for side, part in (("source", "encoder"), ("target", "decoder")):
            if (file := getattr(self.options, f"{side}_vectors", None)) is not None:
                vocab = self.source_codec.vocab if side == "source" else self.target_codec.vocab
                embedding = made.get_submodule(f"{part}.embedding")
                self.loaded.append(set_vectors(cast(nn.Embedding, embedding), file, vocab, f"{side} tokens"))
        return made

    @property
    def source_codec(self) -> Codec:
        """Between source text and ids."""
        codec = self.codecs["source"]
        assert isinstance(codec, Codec)
        return codec

    @property
    def target_codec(self) -> Codec:
        """Between target text and ids."""
        codec = self.codecs["target"]
        assert isinstance(codec, Codec)
        return codec

    def forward(self, source: Tensor, lengths: Tensor, inputs: Tensor) -> Tensor:
        """Logits ``(batch, time, target_vocab_size)``, of the network."""
        logits: Tensor = self.network(source, lengths, inputs)
        return logits

    def loss(self, batch: PairBatch, stage: str) -> Sums:
        tokens = batch.valid.sum()
        options = self.options
        if stage != "train" or not isinstance(options, TranslationOptions):
            return Sums(self.network.nats(*batch), tokens)
        asked = {"smoothing": options.label_smoothing, "sampling": options.scheduled_sampling}
        return Sums(self.network.nats(*batch, **asked), tokens)

    def scores(self, data: DataModule, stage: str) -> dict[str, float]:
        sentences = getattr(self.options, "bleu_sentences", 0) if stage == "val" else 0
        pairs = data.pairs("val")[:sentences] if isinstance(data, ParallelData) and data.has("val") else []
        if not pairs:
            return {}
        said = [best[0].text for best in self.translations([source for source, _ in pairs], GREEDY)]
        wanted = [detokenize(self.target_codec.clean(target)) for _, target in pairs]
        return {"bleu": corpus_bleu(said, wanted).value}

    @torch.no_grad()
    def translations(
        self,
        sentences: Sequence[str],
        beam: Beam = GREEDY,
        attention: bool = False,
        prefix: str = "",
        progress: bool = False,
    ) -> list[list[Translation]]:
        """Translations of each sentence, best first; see ``seqlab.decoding.translation.translate``."""
        if isinstance(self.network, IBM1):
            return self._word_for_word(sentences)
        training = self.training
        self.eval()
        try:
            codecs = self.source_codec, self.target_codec
            return translate(self.network, *codecs, sentences, beam, attention, prefix, progress)
        finally:
            self.train(training)

    def _word_for_word(self, sentences: Sequence[str]) -> list[list[Translation]]:
        assert isinstance(self.network, IBM1)
        ids = encoded(self.source_codec, sentences)
        said = self.network.translate_ids(ids)
        tokens = [
            (self.source_codec.vocab.tokens(a), self.target_codec.vocab.tokens(b))
            for a, b in zip(ids, said, strict=True)
        ]
        texts = [detokenize(self.target_codec.decode(row)) for row in said]
        return [[Translation(text, 0.0, *pair, None)] for text, pair in zip(texts, tokens, strict=True)]

    def translate(
        self,
        sentences: str | Sequence[str],
        *,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        coverage_penalty: float = 0.0,
        min_length: int = 0,
        max_length: int = 50,
        no_repeat_ngram: int = 0,
        n_best: int = 1,
        prefix: str = "",
    ) -> list[list[str]]:
        """Translates sentences.

        Args:
            sentences: To translate.
            beam_size: Hypotheses kept at every step; 1 is greedy.
            length_penalty: Exponent of Wu et al. (2016); 0 ranks by probability alone.
            coverage_penalty: Weight of what attention left unread; needs attention.
            min_length: Least tokens of a translation.
            max_length: Most tokens of a translation.
            no_repeat_ngram: No n-gram of this length occurs twice; 0 allows all.
            n_best: Translations of each sentence, at most beam_size.
            prefix: Text that every translation starts with.

        Returns:
            For each sentence its translations, best first.

        Raises:
            UserError: A sentence is empty, or an option is out of its range.
        """
        beam = Beam(beam_size, length_penalty, coverage_penalty, min_length, max_length, no_repeat_ngram, n_best)
        given = [sentences] if isinstance(sentences, str) else sentences
        return [[one.text for one in best] for best in self.translations(given, beam, prefix=prefix)]

    def predict(
        self, inputs: Iterable[str], *, beam_size: int = 5, length_penalty: float = 1.0, max_length: int = 50
    ) -> Iterator[Translated]:
        """Translates each of several sentences.

        Args:
            inputs: Sentences.
            beam_size: Hypotheses kept at every step; 1 is greedy.
            length_penalty: Exponent of Wu et al. (2016); 0 ranks by probability alone.
            max_length: Most tokens of a translation.
        """
        beam = Beam(beam_size, length_penalty, max_length=max_length)
        for together in in_batches(inputs, TOGETHER):
            for source, best in zip(together, self.translations(together, beam), strict=True):
                yield Translated(source, best[0].text, best[0].score)

    @torch.inference_mode()
    def evaluate(
        self,
        data: DataModule,
        split: Split = "test",
        items: bool = False,
        *,
        beam_size: int = 5,
        length_penalty: float = 1.0,
        sentences: int | None = None,
    ) -> TranslationReport:
        """How well it translates one part of a corpus; the loss is by teacher forcing, of every sentence.

        Args:
            data: The corpus, with this model's codecs.
            split: Part of it.
            items: Whether the report tells of each sentence too.
            beam_size: Hypotheses that translation keeps at every step; 1 is greedy.
            length_penalty: Exponent that translations are ranked with.
            sentences: Translate only the first so many; all if not given.

        Raises:
            UserError: The part is empty, or an option is out of its range.
        """
        if not isinstance(data, ParallelData):
            raise UserError("a translation model is measured on sentence pairs; give --data parallel or fra_eng")
        if sentences is not None and sentences < 1:
            raise UserError(f"sentences {sentences} must be a whole number of at least 1, or left out")
        beam = Beam(beam_size, length_penalty, max_length=50)
        loss, count, each = self._losses(data, split, items)
        pairs = data.pairs(split)[:sentences]
        if not pairs:
            raise UserError(f"the corpus '{data.corpus_name}' has no {split} part to translate")
        sources, wanted = [source for source, _ in pairs], [self.target_codec.clean(target) for _, target in pairs]
        started = time.monotonic()
        said = [best[0].text for best in self.translations(sources, beam, progress=True)]
        seconds = time.monotonic() - started
        spoken = [self.target_codec.clean(text) for text in said]
        references = [detokenize(text) for text in wanted]
        columns: dict[str, list[Any]] = {}
        if items:
            columns = {"item": [*range(len(pairs))], **{key: column[: len(pairs)] for key, column in each.items()}}
            columns |= bleu_columns(said, references)
            columns |= {"source": sources, "reference": references, "translation": said}
        bleu = corpus_bleu(said, references)
        return TranslationReport(
            corpus=data.corpus_name,
            split=split,
            loss=loss,
            count=count,
            seconds=seconds,
            measures={"perplexity": PERPLEXITY.of_loss(loss) if PERPLEXITY.of_loss else loss, "bleu": bleu.value},
            items=columns,
            sentences=len(pairs),
            bleu=bleu,
            chrf=corpus_chrf(said, references),
            bleu_book=sum(bleu_book(*pair) for pair in zip(spoken, wanted, strict=True)) / len(pairs),
            buckets=buckets_of(sources, said, references),
            search=self._search(beam),
        )

    def _search(self, beam: Beam) -> str:
        if isinstance(self.network, IBM1):
            return "word for word"
        return f"beam of {beam.size}" if beam.size > 1 else "greedy"

    def _losses(self, data: ParallelData, split: Split, items: bool) -> tuple[float, int, dict[str, list[Any]]]:
        """Mean nats of the target tokens of a part, how many they are, and with ``items`` those of each sentence."""
        total, loader = MeanLoss(alone=True).to(self.device), data.evaluation_loader(split)
        found: dict[int, tuple[float, int]] = {}
        for index, batch in enumerate(loader):
            own = PairBatch(*(part.to(self.device) for part in batch))
            total.update(self.network.nats(*own), own.valid.sum())
            if items:
                rows = cast(EvaluationPairs, loader.batches).places(index).tolist()
                nats, tokens = self.network.sentence_nats(*own).tolist(), own.valid.sum(1).tolist()
                found |= dict(zip(rows, zip(nats, tokens, strict=True), strict=True))
        columns = zip(*(found[row] for row in sorted(found)), strict=True)
        each = dict(zip(("nats", "tokens"), map(list, columns), strict=True)) if items else {}
        return float(total.compute()), int(total.count), each

    def count(self, data: DataModule) -> None:
        assert isinstance(data, ParallelData)
        pairs = data.encoded("train")
        self.network.count(pairs.sources.rows(), pairs.targets.rows())

    @staticmethod
    def shown_sources(data: ParallelData) -> list[str]:
        """A few sources, held out where there are such, from all over the part."""
        split: Literal["val", "train"] = "val" if data.has("val") else "train"
        sources = list(dict.fromkeys(source for source, _ in data.pairs(split)))
        return sources[:: max(1, len(sources) // SHOWN)][:SHOWN]

    def sample(self, data: DataModule) -> str:
        assert isinstance(data, ParallelData)
        shown = self.shown_sources(data)
        said = [best[0].text for best in self.translations(shown, GREEDY)]
        return "\n".join(f"{source} -> {text}" for source, text in zip(shown, said, strict=True))

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [TranslationView(pictures)] if self.options.by_gradients else []

    def command(self, data: DataModule, checkpoint: str) -> str:
        return f"python -m seqlab.translate {checkpoint} 'i am home .'"
