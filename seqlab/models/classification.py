"""Text classification: a text in, a label and its probability out."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn

from seqlab.analysis.encoder_attention import encoder_attention
from seqlab.analysis.text_inspection import TextInspection
from seqlab.analysis.word_weights import word_weights
from seqlab.data.data_module import DataModule
from seqlab.data.labelled import LabelledData
from seqlab.data.labelled_batches import LabelledBatch, encode_texts, tokens_of
from seqlab.data.loader import in_batches
from seqlab.errors import UserError
from seqlab.models.classes import Classifier
from seqlab.models.model import Codecs
from seqlab.models.word_inputs import WordInputs
from seqlab.nn.bag import Bag
from seqlab.nn.beside_counts import BesideCounts
from seqlab.nn.evaluating import evaluating
from seqlab.nn.naive_bayes import NaiveBayes, NaiveBayesOptions
from seqlab.views.confusions import ConfusionView
from seqlab.views.encoder_heads import HeadsView

TOGETHER = 64
"""Texts in a batch of ``predict``."""
LOOK_EVERY = 200
"""Optimizer steps between two views of single texts, so that the views cost little."""
SHOWN = 4
"""Texts to show with their labels at the end of training."""


class Labelled(NamedTuple):
    """A text, its predicted label, the label's probability, and the probability of each class."""

    text: str
    label: str
    probability: float
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return f"{self.label}\t{self.probability:.4f}"


class TextClassifier(WordInputs, Classifier):
    """A model that gives each text a label, or several. Its codecs are ``text`` and ``label``."""

    task: ClassVar[str] = "classification"
    unit: ClassVar[str] = "texts"
    loss_unit: ClassVar[str] = "nats per text"
    counted: ClassVar[tuple[str, ...]] = ("network.counts.",)

    @classmethod
    def network_of(cls, options: Any, codecs: Codecs) -> nn.Module:
        made, share = super().network_of(options, codecs), getattr(options, "counts", 0.0)
        sizes = codecs["text"].vocab_size, codecs["label"].vocab_size
        return BesideCounts(made, NaiveBayesOptions().build(*sizes), share) if share else made

    def forward(self, ids: Tensor, lengths: Tensor, *context: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of texts ``(batch, time)`` of ``lengths`` ``(batch,)``.

        With a language model, ``context`` has its ids of the words ``(batch, time)``.
        """
        logits: Tensor = self.network(ids, lengths, *context)
        return logits

    def logits(self, batch: LabelledBatch) -> Tensor:
        logits: Tensor = self.network(*self._inputs(batch))
        return logits

    def _inputs(self, batch: LabelledBatch) -> tuple[Tensor, ...]:
        """The input of the network: ids, lengths and, with a language model, its ids."""
        context = () if self.contextual is None else (batch.context,)
        return tuple(part.to(self.device) for part in (batch.ids, batch.lengths, *context))

    def _batch(self, texts: Sequence[str]) -> LabelledBatch:
        """Raw texts as a batch."""
        return encode_texts(texts, self.codecs)[0].batch(np.arange(len(texts)))

    def counts_beside(self) -> bool:
        return super().counts_beside() or getattr(self.options, "ratios", False)

    def count(self, data: DataModule) -> None:
        assert isinstance(data, LabelledData)
        texts = data.encoded("train")
        if self.multilabel:
            raise UserError("counts of words give one label per text; leave out --data.multilabel_separator")
        rows, labels = [row.tolist() for row in texts.sentences.rows()], texts.labels.tolist()
        for module in self.network.modules():
            if isinstance(module, NaiveBayes | Bag):
                module.count(rows, labels)

    def predict(self, inputs: Iterable[str]) -> Iterator[Labelled]:
        """The label of each of several texts, with probabilities.

        Args:
            inputs: Texts; a pair is ``first <sep> second``.
        """
        self.check_finite()
        names = self.labels.names
        for together in in_batches(inputs, TOGETHER):
            with torch.inference_mode(), evaluating(self):
                probabilities = self.probabilities(self.logits(self._batch(together)))
                said = self.said(probabilities)
            for text, row, chosen in zip(together, probabilities.tolist(), said.tolist(), strict=True):
                each = dict(zip(names, row, strict=True))
                if self.multilabel:
                    several = [name for name, there in zip(names, chosen, strict=True) if there]
                    sure = min((each[name] for name in several), default=1 - max(row))
                    yield Labelled(text, (self.labels.separator or ",").join(several), sure, each)
                else:
                    yield Labelled(text, names[chosen], row[chosen], each)

    def word_weights(self, texts: list[str]) -> list[list[tuple[str, float]]]:
        """Weight of each token of texts, see ``seqlab.analysis.word_weights``."""
        found = []
        for text in texts:
            weights = word_weights(self.network, *self._inputs(self._batch([text]))).tolist()
            found.append([*zip(tokens_of(self.text, text)[0], weights, strict=True)])
        return found

    def inspect(self, data: Callable[[], DataModule], *, text: str | None = None) -> TextInspection:
        """Shows which words of a text weigh most for its label, and what a Transformer's heads look at.

        Args:
            data: The corpus that the model was trained on.
            text: Text to classify; if not given, the first held-out text of that corpus.

        Raises:
            UserError: The model only counts, or the text has no words.
        """
        if not self.options.by_gradients:
            raise UserError(f"{self.run} holds counts, with no gradient and no attention; give a network")
        self.check_finite()
        if text is None:
            corpus = data()
            text = corpus.inputs(corpus.last_part)[0]
        if not text.split():
            raise UserError(f"text '{text}' has no words; give --text a sentence")
        (said,) = self.predict([text])
        (words,) = self.word_weights([text])
        return TextInspection(self.run, said.label, said.probabilities, words, self.attention(text)[1])

    def attention(self, text: str) -> tuple[list[str], Tensor | None]:
        """The tokens of a text, and the weights of ``encoder_attention``."""
        inputs = self._inputs(self._batch([text]))
        return tokens_of(self.text, text)[0], encoder_attention(self.network, lambda: self.network(*inputs))

    def sample(self, data: DataModule) -> str:
        shown = data.inputs(data.watched_part)[:SHOWN]
        return "\n".join(f"{one.label} ({one.probability:.2f})  {one.text}" for one in self.predict(shown))

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [ConfusionView(pictures, 1 if pictures else LOOK_EVERY), HeadsView(pictures)]

    def command(self, data: DataModule, checkpoint: str) -> str:
        text = data.inputs(data.watched_part)[0]
        return f"python -m seqlab.predict {checkpoint} {shlex.quote(text)}"
