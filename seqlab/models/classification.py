"""Text classification: a text in, a label and its probability out."""

import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MultilabelExactMatch,
    MultilabelF1Score,
)

from seqlab.analysis.word_weights import word_weights
from seqlab.data.data_module import DataModule
from seqlab.data.labelled import LabelledData
from seqlab.data.labelled_batches import LabelledBatch, encode_text
from seqlab.data.loader import in_batches
from seqlab.data.parts import Split
from seqlab.errors import UserError
from seqlab.metrics import MeanLoss, Measure, ratio
from seqlab.models.classification_report import ClassificationReport, of_macro_f1
from seqlab.models.classified import Classified, report_of
from seqlab.models.model import Codecs, Model
from seqlab.models.pretrained import set_vectors
from seqlab.models.threshold import BestThreshold
from seqlab.models.window import Sums
from seqlab.nn.bag import Bag
from seqlab.nn.beside_counts import BesideCounts
from seqlab.nn.evaluating import evaluating
from seqlab.nn.naive_bayes import NaiveBayes, NaiveBayesOptions
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels
from seqlab.text.vocab import PAD
from seqlab.views.confusions import ConfusionView

TOGETHER = 64
"""Texts that ``predict`` classifies at once."""
LOOK_EVERY = 200
"""Optimizer steps from one look at single texts to the next, so that they cost little."""
SHOWN = 4
"""Texts that are shown with their labels when training ends."""


class Labelled(NamedTuple):
    """A text, its label, and how likely that and each class is."""

    text: str
    label: str
    probability: float
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return f"{self.label}\t{self.probability:.4f}"


def _accuracy(model: "Classifier") -> Metric:
    classes = model.labels.vocab_size
    if model.multilabel:
        return MultilabelExactMatch(classes, validate_args=False)
    return MulticlassAccuracy(classes + 1, average="micro", validate_args=False)


def _macro_f1(model: "Classifier") -> Metric:
    classes = model.labels.vocab_size
    if model.multilabel:
        return MultilabelF1Score(classes, validate_args=False)
    return MulticlassF1Score(classes + 1, average="macro", validate_args=False)


class Classifier(Model):
    """A model that gives each text a label, or several. Its codecs are ``text`` and ``label``.

    A label that training did not have is an extra class that is never said.
    """

    task: ClassVar[str] = "classification"
    says: ClassVar[str] = "classifier"
    unit: ClassVar[str] = "texts"
    loss_unit: ClassVar[str] = "nats per text"
    counted: ClassVar[tuple[str, ...]] = ("network.counts.",)
    measures: Mapping[str, Measure] = {
        "accuracy": Measure("accuracy", "{:.2%}", "higher", _accuracy, ratio("correct")),
        "f1": Measure("macro F1", "{:.2%}", "higher", _macro_f1, of_macro_f1),
    }

    @classmethod
    def network_of(cls, options: Any, codecs: Codecs) -> nn.Module:
        made, share = super().network_of(options, codecs), getattr(options, "counts", 0.0)
        sizes = (codec.vocab_size for codec in codecs.values())
        return BesideCounts(made, NaiveBayesOptions().build(*sizes), share) if share else made

    def build(self) -> nn.Module:
        made, self.tuner = super().build(), BestThreshold()
        self.register_buffer("class_weights", torch.ones(self.labels.vocab_size))
        self.register_buffer("threshold", torch.tensor(float(getattr(self.options, "threshold", None) or 0.5)))
        if (file := getattr(self.options, "vectors", None)) is not None:
            self.loaded.append(set_vectors(cast(nn.Embedding, made.embedding), file, self.text.vocab))
        return made

    @property
    def text(self) -> Codec:
        """Between text and ids."""
        return self.codec_named("text", Codec)

    @property
    def labels(self) -> Labels:
        """The classes."""
        return self.codec_named("label", Labels)

    @property
    def multilabel(self) -> bool:
        """Whether a text may have several labels."""
        return self.labels.separator is not None

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of texts ``(batch, time)`` of ``lengths`` ``(batch,)``."""
        logits: Tensor = self.network(ids, lengths)
        return logits

    def loss(self, batch: LabelledBatch, stage: str) -> Sums:
        logits, known = self.network(batch.ids, batch.lengths), self._known(batch)
        nats = self._nats(logits[known], batch.labels[known])
        smoothing = getattr(self.options, "label_smoothing", 0.0) if stage == "train" else 0.0
        plain = bool((self.class_weights == 1).all())
        if stage != "train" or (not smoothing and plain):
            return Sums(nats.sum(), known.sum())
        trained = self._nats(logits[known], batch.labels[known], smoothing)
        if not self.multilabel:
            trained = trained * cast(Tensor, self.class_weights)[batch.labels[known]]
        return Sums(trained.sum(), known.sum(), nats.sum())

    def _known(self, batch: LabelledBatch) -> Tensor:
        """Texts that count in the loss: real ones whose label training had."""
        return batch.valid if self.multilabel else batch.valid & (batch.labels >= 0)

    def _nats(self, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Cross-entropy of each text ``(texts,)``; of several labels, that of each class by itself, added up."""
        if not self.multilabel:
            return F.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
        wanted = labels * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none").sum(1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of each class ``(texts, classes)``."""
        return logits.float().sigmoid() if self.multilabel else logits.float().softmax(-1)

    def said(self, probabilities: Tensor) -> Tensor:
        """The class of each text ``(texts,)``; of several labels ``(texts, classes)`` of 0 and 1."""
        if self.multilabel:
            return (probabilities >= cast(Tensor, self.threshold)).long()
        if probabilities.shape[1] == 2:
            return (probabilities[:, 1] >= cast(Tensor, self.threshold)).long()
        return probabilities.argmax(-1)

    def score(self, batch: LabelledBatch, metrics: Any, stage: str) -> None:
        logits, known, valid = self.network(batch.ids, batch.lengths), self._known(batch), batch.valid
        metrics["loss"].update(self._nats(logits[known], batch.labels[known]).sum(), known.sum())
        wanted = batch.labels[valid]
        wanted = wanted.long() if self.multilabel else torch.where(wanted < 0, self.labels.vocab_size, wanted)
        probabilities = self.probabilities(logits[valid])
        said = self.said(probabilities)
        metrics["accuracy"].update(said, wanted)
        metrics["f1"].update(said, wanted)
        if stage == "val" and self._tunes():
            self.tuner.update(probabilities[:, 1] if not self.multilabel else probabilities, wanted)

    def _tunes(self) -> bool:
        return bool(getattr(self.options, "tune_threshold", False)) and (self.multilabel or self.labels.vocab_size == 2)

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self.tuner.reset()

    def on_validation_epoch_end(self) -> None:
        if self._tunes() and not self.trainer.sanity_checking:
            cast(Tensor, self.threshold).copy_(self.tuner.compute())
        super().on_validation_epoch_end()

    def on_fit_start(self) -> None:
        if getattr(self.options, "class_weights", "none") == "balanced":
            counts = torch.from_numpy(self.trainer.datamodule.class_counts()).to(cast(Tensor, self.class_weights))
            cast(Tensor, self.class_weights).copy_(counts.sum() / (len(counts) * counts.clamp(min=1)))
        super().on_fit_start()

    def counts_beside(self) -> bool:
        return super().counts_beside() or getattr(self.options, "ratios", False)

    def count(self, data: DataModule) -> None:
        assert isinstance(data, LabelledData)
        texts = data.encoded("train")
        if self.multilabel:
            raise UserError("counts of words tell one label a text; leave out --data.multilabel_separator")
        rows, labels = [row.tolist() for row in texts.sentences.rows()], texts.labels.tolist()
        for module in self.network.modules():
            if isinstance(module, NaiveBayes | Bag):
                module.count(rows, labels)

    @torch.inference_mode()
    def evaluate(
        self, data: DataModule, split: Split = "test", items: bool = False, *, errors: int = 5
    ) -> ClassificationReport:
        """How well it tells the classes of one part apart, every text once.

        Args:
            data: The labelled texts, with this model's codecs.
            split: Part of them.
            items: Whether the report tells of each text too.
            errors: How many of the worst errors to list.
        """
        if not isinstance(data, LabelledData):
            raise UserError("a classifier is measured on labelled texts; give --data labelled or the name of some")
        if errors < 0:
            raise UserError(f"errors {errors} must be a whole number of at least 0")
        started = time.monotonic()
        with evaluating(self):
            found = self._classified(data, split)
        return report_of(self, data, split, found, items, errors, time.monotonic() - started)

    def _classified(self, data: LabelledData, split: Split) -> Classified:
        self.check_finite()
        loss, rows = MeanLoss(alone=True).to(self.device), []
        for batch in data.evaluation_loader(split):
            own = LabelledBatch(*(part.to(self.device) for part in batch))
            logits, known = self.network(own.ids, own.lengths), self._known(own)
            nats = torch.full((len(logits),), float("nan"), device=self.device)
            nats[known] = self._nats(logits[known], own.labels[known])
            loss.update(nats[known].sum(), known.sum())
            rows.append([part[own.valid].cpu() for part in (own.items, nats, self.probabilities(logits), own.labels)])
        items, nats, probabilities, wanted = (torch.cat(parts) for parts in zip(*rows, strict=True))
        order = items.argsort()
        return Classified(
            float(loss.compute()), int(loss.count), nats[order], probabilities[order], wanted[order].long()
        )

    def predict(self, inputs: Iterable[str]) -> Iterator[Labelled]:
        """The label of each of several texts, with probabilities.

        Args:
            inputs: Texts; a pair is ``first <sep> second``.
        """
        self.check_finite()
        pad, device = self.text.vocab.id_of(PAD), next(iter(self.buffers())).device
        names = self.labels.names
        for together in in_batches(inputs, TOGETHER):
            rows = [encode_text(self.text, text)[0] for text in together]
            lengths = torch.tensor([len(row) for row in rows], device=device)
            longest = int(lengths.max())
            ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows], device=device)
            with torch.inference_mode():
                probabilities = self.probabilities(self.eval_logits(ids, lengths))
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
        """What each token of texts counted, see ``seqlab.analysis.word_weights``."""
        found = []
        for text in texts:
            row = encode_text(self.text, text)[0]
            ids, lengths = torch.tensor([row], device=self.device), torch.tensor([len(row)], device=self.device)
            weights = word_weights(self.network, ids, lengths).tolist()
            found.append([*zip(self.text.vocab.tokens(row), weights, strict=True)])
        return found

    def eval_logits(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """As ``forward``, with dropout off."""
        with evaluating(self):
            logits: Tensor = self.network(ids, lengths)
        return logits

    def sample(self, data: DataModule) -> str:
        shown = data.inputs("val" if data.has("val") else "train")[:SHOWN]
        return "\n".join(f"{one.label} ({one.probability:.2f})  {one.text}" for one in self.predict(shown))

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [ConfusionView(pictures, 1 if pictures else LOOK_EVERY)]

    def command(self, data: DataModule, checkpoint: str) -> str:
        text = data.inputs("val" if data.has("val") else "train")[0]
        return f"python -m seqlab.predict {checkpoint} {shlex.quote(text)}"
