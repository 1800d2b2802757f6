"""The predictions of a classifier -> a report."""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torchmetrics.functional.classification as functional
from torch import Tensor

from seqlab.data.class_data import ClassData
from seqlab.data.parts import Split
from seqlab.models.classification_report import ClassificationReport, Error, OfClass

if TYPE_CHECKING:
    from seqlab.models.classes import Classifier


class Classified(NamedTuple):
    """Predictions for the texts of a part, in the order of the file.

    Args:
        loss: Mean loss in nats of the texts that count.
        counted: Number of texts that count in the loss.
        nats: Nats of each text ``(texts,)``; NaN where training did not have its label.
        probabilities: ``(texts, classes)``.
        wanted: ``(texts,)`` int64, -1 where training did not have the label; with several labels ``(texts, classes)``
            of 0 and 1.
    """

    loss: float
    counted: int
    nats: Tensor
    probabilities: Tensor
    wanted: Tensor


class Scores(NamedTuple):
    """Scores from torchmetrics."""

    accuracy: float
    macro_f1: float
    weighted_f1: float
    classes: list[OfClass]
    confusion: Tensor | None
    calibration_error: float


def report_of(
    model: "Classifier",
    data: ClassData,
    split: Split,
    found: Classified,
    items: bool,
    errors: int,
    seconds: float,
) -> ClassificationReport:
    """The report of one part.

    Args:
        model: The classifier.
        data: The items.
        split: Part of the data.
        found: The predictions.
        items: Whether the report also has results for each text.
        errors: Number of errors to list, the most confident first.
        seconds: Wall time.
    """
    said = model.said(found.probabilities.to(model.device)).cpu()
    scores = _of_several(said, found) if model.multilabel else _of_one(said, found)
    columns = _columns(model, data, split, found, said)
    worst = sorted((row for row, right in enumerate(columns["correct"]) if not right), key=_surest(columns))[:errors]
    tuned = model.multilabel or model.labels.vocab_size == 2
    return ClassificationReport(
        corpus=data.corpus_name,
        split=split,
        loss=found.loss,
        count=found.counted,
        seconds=seconds,
        item=data.item,
        measures={"accuracy": scores.accuracy, "f1": scores.macro_f1},
        items=columns if items else {},
        classes=dict(zip(model.labels.names, scores.classes, strict=True)),
        weighted_f1=scores.weighted_f1,
        confusion=None if scores.confusion is None else scores.confusion.numpy(),
        calibration_error=scores.calibration_error,
        unseen=len(found.nats) - found.counted,
        columns=columns,
        resampled=type(model).measures,
        errors=[
            Error(*(columns[name][row] for name in (data.item, "label", "predicted", "probability"))) for row in worst
        ],
        threshold=float(torch.as_tensor(model.threshold)) if tuned else None,
    )


def _surest(columns: dict[str, list[Any]]) -> Any:
    return lambda row: -columns["probability"][row]


def _of_one(said: Tensor, found: Classified) -> Scores:
    classes = found.probabilities.shape[1]
    wanted = torch.where(found.wanted < 0, classes, found.wanted)  # an extra class, never predicted
    known = found.wanted >= 0
    each: dict[str, Any] = {"num_classes": classes + 1, "validate_args": False}
    parts = [getattr(functional, f"multiclass_{name}") for name in ("precision", "recall", "f1_score")]
    columns = [part(said, wanted, average="none", **each)[:classes].tolist() for part in parts]
    support = torch.bincount(wanted, minlength=classes + 1)[:classes].tolist()
    error = functional.multiclass_calibration_error(
        found.probabilities[known], found.wanted[known], num_classes=classes, validate_args=False
    )
    return Scores(
        float(functional.multiclass_accuracy(said, wanted, average="micro", **each)),
        float(functional.multiclass_f1_score(said, wanted, average="macro", **each)),
        float(functional.multiclass_f1_score(said, wanted, average="weighted", **each)),
        [OfClass(*row) for row in zip(*columns, support, strict=True)],
        functional.multiclass_confusion_matrix(said, wanted, **each)[:classes, :classes],
        float(error),
    )


def _of_several(said: Tensor, found: Classified) -> Scores:
    classes, wanted = found.probabilities.shape[1], found.wanted
    each: dict[str, Any] = {"num_labels": classes, "validate_args": False}
    parts = [getattr(functional, f"multilabel_{name}") for name in ("precision", "recall", "f1_score")]
    columns = [part(said, wanted, average="none", **each).tolist() for part in parts]
    error = functional.binary_calibration_error(found.probabilities.flatten(), wanted.flatten(), validate_args=False)
    return Scores(
        float(functional.multilabel_exact_match(said, wanted, **each)),
        float(functional.multilabel_f1_score(said, wanted, average="macro", **each)),
        float(functional.multilabel_f1_score(said, wanted, average="weighted", **each)),
        [OfClass(*row) for row in zip(*columns, wanted.sum(0).tolist(), strict=True)],
        None,
        float(error),
    )


def _columns(
    model: "Classifier", data: ClassData, split: Split, found: Classified, said: Tensor
) -> dict[str, list[Any]]:
    """The results of each text, by name."""
    names, separator = model.labels.names, model.labels.separator
    if separator is None:
        predicted = [names[row] for row in said.tolist()]
        probability = found.probabilities.gather(1, said.unsqueeze(1)).squeeze(1)
        correct = said == found.wanted
    else:
        predicted = [separator.join(n for n, there in zip(names, row, strict=True) if there) for row in said.tolist()]
        probability = torch.where(said.bool(), found.probabilities, 1 - found.probabilities).amin(1)
        correct = (said == found.wanted).all(1)
    return {
        "item": [*range(len(said))],
        "correct": correct.long().tolist(),
        "nats": found.nats.tolist(),
        "label": data.labels(split),
        "predicted": predicted,
        "probability": probability.tolist(),
        data.item: data.inputs(split),
    }
