"""Sequence tagging: a sentence in, a tag for each of its words out."""

import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.analysis.chain_inspection import ChainInspection, influences, table_of
from seqlab.analysis.encoder_attention import encoder_attention
from seqlab.data.data_module import DataModule
from seqlab.data.loader import Loader, in_batches
from seqlab.data.parts import Split
from seqlab.data.tagged import TaggedData
from seqlab.data.tagged_batches import EvaluationSentences, TaggedBatch, TaggedSentences
from seqlab.decoding.tagging import FORMATS, Spelled, Tagged, Way, spans_in
from seqlab.decoding.viterbi import best_paths
from seqlab.errors import UserError, reason_of
from seqlab.files import whole_file
from seqlab.metrics import MeanLoss, Measure, ratio
from seqlab.models.span_scores import SpanF1, of_span_f1, span_scores, together
from seqlab.models.tagged import sentences_said
from seqlab.models.tagging_report import Tagging, TaggingReport, columns_of, errors_of, scores_of
from seqlab.models.window import Sums
from seqlab.models.word_inputs import WordInputs
from seqlab.nn.crf import CRF, sentence_nats
from seqlab.nn.tagger import Tagger as Network
from seqlab.recurrence.lengths import valid_steps
from seqlab.text.clean import CLEANERS
from seqlab.text.labels import Labels
from seqlab.text.schemes import follows
from seqlab.text.spans import OUTSIDE, spans_of
from seqlab.text.tokenize import CharTokenizer, SpaceTokenizer
from seqlab.text.treebank import offsets_of
from seqlab.views.encoder_heads import HeadsView
from seqlab.views.tags import TagView

TOGETHER = 64
"""Sentences in a batch of ``predict``."""
SHOWN = 3
"""Sentences to show with their tags at the end of training."""

MEASURES: Mapping[str, Measure] = {
    "f1": Measure("F1 of spans", "{:.2%}", "higher", lambda model: SpanF1(), of_span_f1),
    "accuracy": Measure("accuracy", "{:.2%}", "higher", lambda model: MeanLoss(), ratio("correct", "words")),
}


class Tagger(WordInputs):
    """A model that gives each word of a sentence a tag. Its codecs are ``text``, ``characters`` and ``tag``.

    The model never predicts a tag that training did not have; such a tag counts as wrong.
    """

    task: ClassVar[str] = "tagging"
    says: ClassVar[str] = "tagger"
    unit: ClassVar[str] = "words"
    loss_unit: ClassVar[str] = "nats per word"
    measures: Mapping[str, Measure] = MEASURES
    formats = FORMATS

    def build(self) -> nn.Module:
        made = super().build()
        if self.scheme is None:
            self.measures = {"accuracy": MEASURES["accuracy"]}
        for name in ("constrained", "recall_margin"):
            if (value := getattr(self.options, name, False)) and self.scheme is None:
                shown = str(value).lower()
                raise UserError(f"{name} {shown} needs tags that mark spans, and these mark none; leave it out")
        if getattr(self.options, "constrained", False):
            cast(CRF, made.crf).constrain(_allowed(self.labels))
        if (share := getattr(self.options, "word_dropout", 0.0)) > 0:
            counts = dict(self.text.vocab.frequencies)
            times = [float(counts.get(token, 0)) for token in self.text.vocab.tokens([*range(len(self.text.vocab))])]
            cast(Tensor, made.unknown_share).copy_(share / (share + torch.tensor(times)))
        return made

    @property
    def labels(self) -> Labels:
        """The tags."""
        return self.codec_named("tag", Labels)

    @property
    def scheme(self) -> str | None:
        """Scheme of the spans; None if the tags mark no spans."""
        return self.labels.scheme

    @property
    def of_characters(self) -> bool:
        """Whether the tagged units are characters of words."""
        return isinstance(self.text.tokenizer, CharTokenizer)

    @property
    def crf(self) -> CRF:
        """The CRF of the output layer."""
        return cast(CRF, self.network.crf)

    def forward(self, batch: TaggedBatch) -> Tensor:
        """Scores of the tags of each word ``(batch, time, tags)``."""
        scores: Tensor = self.network(batch)
        return scores

    def loss(self, batch: TaggedBatch, stage: str) -> Sums:
        scores = self.network(batch)
        margin = getattr(self.options, "recall_margin", 0.0)
        return Sums(*self._nats(batch, self._less_sure(scores, batch.tags, margin) if stage == "train" else scores))

    def _less_sure(self, scores: Tensor, tags: Tensor, margin: float) -> Tensor:
        """Scores with a higher score of O at words of spans, so that O must be beaten by this margin.

        Softmax-margin (Gimpel & Smith 2010, N10-1112) with a cost of misses alone (Mohit et al. 2012, E12-1017).
        """
        if not margin:
            return scores
        outside = torch.tensor([name == OUTSIDE for name in self.labels.names], device=scores.device)
        missed = (tags >= 0) & ~outside[tags.clamp(min=0)]
        return scores + margin * (missed.unsqueeze(-1) & outside)

    def _nats(self, batch: TaggedBatch, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Loss in nats, summed over the words that count, and their number."""
        nats, counted = self.nats_of_sentences(batch, scores)
        return nats.sum(), counted.sum()

    def nats_of_sentences(self, batch: TaggedBatch, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of each sentence ``(batch,)``, and its words that count: words with a tag that training had.

        With a CRF, a sentence counts only if training had all its tags.
        """
        real = valid_steps(batch.lengths, batch.ids.shape[1]).t() & batch.valid.unsqueeze(1)
        known = real & (batch.tags >= 0)
        scores = scores.float() if scores.dtype != torch.float64 else scores
        if not self.crf.learned:
            flat = F.cross_entropy(scores[known], batch.tags[known], reduction="none")
            return torch.zeros_like(real, dtype=flat.dtype).masked_scatter(known, flat).sum(1), known.sum(1)
        whole = (known.sum(1) == batch.lengths) & batch.valid
        chain = self.crf.chain()
        nats = sentence_nats(scores, batch.tags.clamp(min=0), batch.lengths, chain)
        return torch.where(whole, nats, 0).to(scores.dtype), torch.where(whole, batch.lengths, 0)

    def said(self, batch: TaggedBatch, scores: Tensor) -> Tensor:
        """The tag of each word ``(batch, time)`` int64."""
        if not self.crf.learned and not self.crf.constrained:
            return scores.argmax(-1)
        return best_paths(scores.float() if scores.dtype != torch.float64 else scores, batch.lengths, self.crf.chain())

    def score(self, batch: TaggedBatch, metrics: Any, stage: str) -> None:
        """Counts a batch; every part of a cut sentence counts as a sentence."""
        scores = self.network(batch)
        metrics["loss"].update(*self._nats(batch, scores))
        said = self.said(batch, scores)
        real = valid_steps(batch.lengths, batch.ids.shape[1]).t() & batch.valid.unsqueeze(1)
        metrics["accuracy"].update((real & (said == batch.tags)).sum().double(), real.sum())
        if "f1" in metrics:
            names = [*self.labels.names, ""]
            rows = [*zip(said.tolist(), batch.tags.tolist(), batch.lengths.tolist(), batch.valid.tolist(), strict=True)]
            pairs = [
                ([names[tag] for tag in one[:length]], [names[tag] or OUTSIDE for tag in other[:length]])
                for one, other, length, valid in rows
                if valid
            ]
            found = span_scores([one for one, _ in pairs], [other for _, other in pairs], spans_of)
            metrics["f1"].update(together(found.values()))

    def count(self, data: DataModule) -> None:
        assert isinstance(data, TaggedData)
        loader = Loader(EvaluationSentences(data.encoded("train"), TOGETHER))
        batches = [batch.to(self.device) for batch in loader]
        self.network.count(batches, [batch.tags for batch in batches])

    def evaluate(
        self, data: DataModule, split: Split = "test", items: bool = False, *, errors: str | None = None
    ) -> TaggingReport:
        """Measures the tagging of one part, with every word once.

        Args:
            data: The tagged sentences, with this model's codecs.
            split: Part of the data.
            items: Whether the report also has results for each sentence.
            errors: File for all words with a wrong tag, each with its sentence.

        Raises:
            UserError: The data are of another kind, there is no such part, or the file cannot be written.
        """
        if not isinstance(data, TaggedData):
            raise UserError("a tagger is measured on tagged sentences; give --data tagged or the name of some")
        data.adopt(self.codecs)
        data.evaluation_loader(split)
        started = time.monotonic()
        words, wanted, names = data.words(split), data.tags(split), self.labels.names
        whole, nats, counted, pieces = sentences_said(self, data.encoded(split), len(words))
        clean = CLEANERS[self.text.cleaning]
        known = [[clean(word) in self.text.vocab for word in row] for row in words]
        said = [[names[tag] for tag in one.tags] for one in whole]
        found = Tagging(words, wanted, said, known, nats, counted)
        columns, numbers = columns_of(found, self.scheme), scores_of(found, names, self.scheme)
        right, all_words = sum(columns["correct"]), sum(columns["words"])
        measures = {"accuracy": right / all_words}
        if self.scheme is not None:
            measures = {"f1": together(numbers["kinds"].values()).f1, **measures}
        report = TaggingReport(
            corpus=data.corpus_name,
            split=split,
            loss=sum(nats) / sum(counted) if sum(counted) else float("nan"),
            count=sum(counted),
            seconds=time.monotonic() - started,
            measures=measures,
            items=columns if items else {},
            sentences=len(words),
            words=all_words,
            scheme=self.scheme,
            uncounted=all_words - sum(counted),
            cut=sum(count > 1 for count in pieces),
            columns=columns,
            resampled=self.measures,
            **numbers,
        )
        if errors is not None:
            _write(errors, errors_of(found))
        return report

    def predict(
        self,
        inputs: Iterable[str],
        *,
        tokenized: bool = False,
        offsets: bool = False,
        probabilities: bool = False,
        n_best: int | None = None,
    ) -> Iterator[Tagged]:
        """The tags of each of several sentences.

        Args:
            inputs: Sentences.
            tokenized: Whether spaces already separate the words; otherwise the checkpoint's tokenizer splits them.
            offsets: Whether to give the begin and end of each word, in characters from 0.
            probabilities: Whether to give the probability of each tag, over all tag sequences.
            n_best: Number of most likely tag sequences to list for each sentence.

        Raises:
            UserError: n_best is below 1.
        """
        if n_best is not None and n_best < 1:
            raise UserError(f"n_best {n_best} must be a whole number of at least 1")
        tokenizer, names = SpaceTokenizer() if tokenized else self.text.tokenizer, self.labels.names
        for texts in in_batches(inputs, TOGETHER):
            rows = [tokenizer.tokenize(text) for text in texts]
            sentences = TaggedSentences(rows, self.codecs)
            whole, _, _, pieces = sentences_said(self, sentences, len(rows), n_best or 0, probabilities)
            if cut := sum(count > 1 for count in pieces):
                told = f"{cut} longer than {self.text.max_length} words, tagged in parts"
                print(f"seqlab: {told}", file=sys.stderr, flush=True)
            for text, words, one, parts in zip(texts, rows, whole, pieces, strict=True):
                tags = [names[tag] for tag in one.tags]
                ways = [Way([names[tag] for tag in path], float(np.exp(log))) for log, path in one.paths]
                yield (Spelled if self.of_characters and not tokenized else Tagged)(
                    text,
                    words,
                    tags if n_best is None or not words else ways[0].tags,
                    spans_in(words, tags, self.scheme is not None),
                    offsets_of(words, text) if offsets else None,
                    one.probabilities if probabilities else None,
                    ways if n_best is not None else None,
                    max(1, parts),
                )

    def inspect(self, data: Callable[[], DataModule], *, text: str | None = None) -> ChainInspection:
        """Shows a CRF's transitions, the weight of each word in a sentence, and what a Transformer's heads look at.

        Args:
            data: The corpus that the model was trained on.
            text: Sentence for word weights, by gradient times input, and for attention.

        Raises:
            UserError: The model has no CRF and no sentence is given, it only counts, or the sentence has no words.
        """
        if not isinstance(self.network, Network):
            raise UserError(f"{self.run} holds counts, which have no CRF and no gradient; give a recurrent model")
        if text is None and not self.crf.learned:
            raise UserError(f"{self.run} has output softmax, and no table of transitions; give --text to weigh words")
        table = table_of(self.crf.chain()) if self.crf.learned else None
        if text is None:
            return ChainInspection(self.run, [*self.labels.names], table, [], [], None)
        words, batch = self._read(text)
        if not words:
            raise UserError(f"text '{text}' has no words; give --text a sentence")
        said = self.said(batch, self.network(batch))[0]
        weights = influences(self.network, batch, said).cpu().double().numpy()
        tags = [self.labels.names[tag] for tag in said.tolist()]
        attention = encoder_attention(self.network, lambda: self.network(batch))
        return ChainInspection(self.run, [*self.labels.names], table, words, tags, weights, attention)

    def attention(self, text: str) -> tuple[list[str], Tensor | None]:
        """The words of a sentence, and the weights of ``encoder_attention``."""
        words, batch = self._read(text)
        return words, encoder_attention(self.network, lambda: self.network(batch))

    def _read(self, text: str) -> tuple[list[str], TaggedBatch]:
        words = self.text.tokenizer.tokenize(text)[: self.text.max_length]
        return words, TaggedSentences([words], self.codecs).batch(np.array([0])).to(self.device)

    def sample(self, data: DataModule) -> str:
        assert isinstance(data, TaggedData)
        shown = data.inputs(data.watched_part)[:SHOWN]
        return "\n".join(map(str, self.predict(shown, tokenized=not self.of_characters)))

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [TagView(pictures), HeadsView(pictures)]

    def command(self, data: DataModule, checkpoint: str) -> str:
        text = data.inputs(data.watched_part)[0]
        tokenized = "" if self.of_characters else " --tokenized true"
        return f"python -m seqlab.predict {checkpoint} {shlex.quote(text)}{tokenized}"


def _allowed(labels: Labels) -> Tensor:
    """Allowed transitions, see ``CRF.constrain``."""
    scheme, names = labels.scheme, [*labels.names, None]
    assert scheme is not None
    return torch.tensor([[follows(scheme, before, tag) for tag in names] for before in names])


def _write(path: str, lines: Iterable[str]) -> None:
    try:
        with whole_file(Path(path)) as file:
            for line in lines:
                file.write(f"{line}\n".encode())
    except OSError as error:
        reason = f"cannot write {path}: {reason_of(error)}; name a file in a folder that can be written"
        raise UserError(reason) from None
