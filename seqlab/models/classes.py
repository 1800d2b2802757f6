"""Base of classifiers, for any kind of item."""

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self, cast

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

from seqlab.data.class_data import ClassData
from seqlab.data.data_module import DataModule
from seqlab.data.parts import Split
from seqlab.errors import UserError
from seqlab.metrics import MeanLoss, Measure, ratio
from seqlab.models.classification_report import ClassificationReport, of_macro_f1
from seqlab.models.classified import Classified, report_of
from seqlab.models.model import Model
from seqlab.models.threshold import BestThreshold
from seqlab.models.window import Sums
from seqlab.nn.evaluating import evaluating
from seqlab.text.labels import Labels


class ClassBatch(Protocol):
    """A batch of items; all its tensors have the same number of rows."""

    @property
    def labels(self) -> Tensor:
        """``(batch,)`` int64, -1 where training did not have the label; with several labels per item,
        ``(batch, classes)`` float32 of 0 and 1."""

    @property
    def valid(self) -> Tensor:
        """``(batch,)`` bool, False at an item that only fills the batch and is ignored."""

    @property
    def items(self) -> Tensor:
        """Row of each item within its part ``(batch,)`` int64."""

    def _replace(self, **changed: Tensor) -> Self: ...

    def _asdict(self) -> dict[str, Tensor]: ...


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
    """A model that gives each item one class or several. One of its codecs is ``label``.

    A label that training did not have counts as an extra class that the model never predicts.
    """

    says: ClassVar[str] = "classifier"
    measures: Mapping[str, Measure] = {
        "accuracy": Measure("accuracy", "{:.2%}", "higher", _accuracy, ratio("correct")),
        "f1": Measure("macro F1", "{:.2%}", "higher", _macro_f1, of_macro_f1),
    }

    def build(self) -> nn.Module:
        made, self.tuner = super().build(), BestThreshold()
        self.register_buffer("class_weights", torch.ones(self.labels.vocab_size))
        self.register_buffer("threshold", torch.tensor(float(getattr(self.options, "threshold", None) or 0.5)))
        return made

    @abstractmethod
    def logits(self, batch: Any) -> Tensor:
        """Logits of each item ``(batch, classes)``."""

    @property
    def labels(self) -> Labels:
        """The classes."""
        return self.codec_named("label", Labels)

    @property
    def multilabel(self) -> bool:
        """Whether a text may have several labels."""
        return self.labels.separator is not None

    def loss(self, batch: ClassBatch, stage: str) -> Sums:
        logits, known = self.logits(batch), self._known(batch)
        nats = self._nats(logits[known], batch.labels[known])
        smoothing = getattr(self.options, "label_smoothing", 0.0) if stage == "train" else 0.0
        plain = bool((self.class_weights == 1).all())
        if stage != "train" or (not smoothing and plain):
            return Sums(nats.sum(), known.sum())
        trained = self._nats(logits[known], batch.labels[known], smoothing)
        if not self.multilabel:
            trained = trained * cast(Tensor, self.class_weights)[batch.labels[known]]
        return Sums(trained.sum(), known.sum(), nats.sum())

    def _known(self, batch: ClassBatch) -> Tensor:
        """Items that count in the loss: real items with a label that training had."""
        return batch.valid if self.multilabel else batch.valid & (batch.labels >= 0)

    def _nats(self, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Cross-entropy of each item ``(items,)``; with several labels, the sum of the binary losses of all classes."""
        if not self.multilabel:
            return F.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
        wanted = labels * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none").sum(1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probability of each class ``(items, classes)``."""
        return logits.float().sigmoid() if self.multilabel else logits.float().softmax(-1)

    def said(self, probabilities: Tensor) -> Tensor:
        """Predicted class of each item ``(items,)``; with several labels ``(items, classes)`` of 0 and 1."""
        if self.multilabel:
            return (probabilities >= cast(Tensor, self.threshold)).long()
        if probabilities.shape[1] == 2:
            return (probabilities[:, 1] >= cast(Tensor, self.threshold)).long()
        return probabilities.argmax(-1)

    def score(self, batch: ClassBatch, metrics: Any, stage: str) -> None:
        logits, known, valid = self.logits(batch), self._known(batch), batch.valid
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

    @torch.inference_mode()
    def evaluate(
        self, data: DataModule, split: Split = "test", items: bool = False, *, errors: int = 5
    ) -> ClassificationReport:
        """Measures the classification of one part, with every item once.

        Args:
            data: The items, with this model's codecs.
            split: Part of the data.
            items: Whether the report also has results for each item.
            errors: Number of errors to list, the most confident first.
        """
        if not isinstance(data, ClassData) or f"{data.item}s" != self.unit:
            raise UserError(f"a classifier is measured on labelled {self.unit}; give --data with the name of some")
        if errors < 0:
            raise UserError(f"errors {errors} must be a whole number of at least 0")
        data.adopt(self.codecs)
        started = time.monotonic()
        with evaluating(self):
            found = self._classified(data, split)
        return report_of(self, data, split, found, items, errors, time.monotonic() - started)

    def _classified(self, data: ClassData, split: Split) -> Classified:
        self.check_finite()
        loss, rows = MeanLoss(alone=True).to(self.device), []
        for batch in data.evaluation_loader(split):
            own = batch._replace(**{name: part.to(self.device) for name, part in batch._asdict().items()})
            logits, known = self.logits(own), self._known(own)
            nats = torch.full((len(logits),), float("nan"), device=self.device)
            nats[known] = self._nats(logits[known], own.labels[known])
            loss.update(nats[known].sum(), known.sum())
            rows.append([part[own.valid].cpu() for part in (own.items, nats, self.probabilities(logits), own.labels)])
        items, nats, probabilities, wanted = (torch.cat(parts) for parts in zip(*rows, strict=True))
        order = items.argsort()
        return Classified(
            float(loss.compute()), int(loss.count), nats[order], probabilities[order], wanted[order].long()
        )
