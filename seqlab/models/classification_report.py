"""The report of ``evaluate`` for a classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqlab.metrics import Columns
from seqlab.models.resampled_report import ResampledReport

SHOWN_TEXT = 70
"""Most characters of a text in the list of errors."""
LARGEST_TABLE = 12
"""Most classes for which the confusion matrix is printed."""


class OfClass(NamedTuple):
    """Precision, recall and F1 of one class, as shares, and its number of items."""

    precision: float
    recall: float
    f1: float
    support: int


class Error(NamedTuple):
    """An item that got a wrong label, with the probability of that label."""

    input: str
    label: str
    said: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class ClassificationReport(ResampledReport):
    """Measures of a classifier, with every item counted once.

    Args:
        item: Noun for one item.
        classes: Scores of each class, by name.
        weighted_f1: Mean F1 of the classes, weighted by their numbers of items.
        confusion: Confusion matrix ``(classes, classes)``, rows are true classes, columns predicted classes; None with
            several labels per item.
        calibration_error: Expected calibration error: mean distance of confidence and accuracy over 15 bins of equal
            width (Naeini et al. 2015).
        unseen: Number of items with a label that training did not have; each counts as wrong, and not in the loss.
        errors: The most confident errors.
        threshold: Smallest probability of a predicted label; None if the most likely label is predicted.
    """

    item: str
    classes: Mapping[str, OfClass]
    weighted_f1: float
    confusion: NDArray[np.int64] | None
    calibration_error: float
    unseen: int
    errors: Sequence[Error] = field(repr=False)
    threshold: float | None = None

    WIDTH: ClassVar[int] = 20

    @property
    def accuracy(self) -> float:
        """Share of the items with the right label, or with all labels right."""
        return self.measures["accuracy"]

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes."""
        return self.measures["f1"]

    def rows(self) -> dict[str, str]:
        rows = {
            "corpus": self.measured_on,
            "accuracy": self.with_interval("accuracy"),
            "macro F1": self.with_interval("f1"),
            "weighted F1": f"{self.weighted_f1:.2%}",
            "loss": f"{self.loss:.4f} nats per {self.item}",
            "calibration error": f"{self.calibration_error:.2%}",
            "counted": f"{self.count + self.unseen:,} {self.item}s, each once" + self._unseen(),
        }
        if self.threshold is not None:
            rows["threshold"] = f"{self.threshold:.3f}"
        return {
            **rows,
            "time": f"{self.seconds:.1f} s, {(self.count + self.unseen) / self.seconds:,.0f} {self.item}s/s",
        }

    def _unseen(self) -> str:
        return f", {self.unseen:,} of them with a label that training did not have" if self.unseen else ""

    def __str__(self) -> str:
        width = max(17, *(len(name) for name in self.classes))
        lines = [
            super().__str__(),
            "",
            f"{'class':<{width}}{'precision':>11}{'recall':>9}{'F1':>9}{self.item + 's':>8}",
        ]
        for name, one in self.classes.items():
            lines.append(f"{name:<{width}}{one.precision:>11.2%}{one.recall:>9.2%}{one.f1:>9.2%}{one.support:>8,}")
        if self.confusion is not None and len(self.classes) <= LARGEST_TABLE:
            lines += ["", *self._table(width)]
        if self.errors:
            lines += ["", "the most confident errors"]
            lines += [f"  {e.probability:.2f} {e.said} for {e.label}: {e.input[:SHOWN_TEXT]}" for e in self.errors]
        return "\n".join(lines)

    def _table(self, width: int) -> list[str]:
        assert self.confusion is not None
        names = [*self.classes]
        column = max(7, *(len(name) + 2 for name in names))
        head = f"{'true, predicted:':<{width}}" + "".join(f"{name:>{column}}" for name in names)
        rows = zip(names, self.confusion.tolist(), strict=True)
        return [head, *(f"{name:<{width}}" + "".join(f"{n:>{column},}" for n in row) for name, row in rows)]


def of_macro_f1(columns: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean F1 of the classes that a resample has or predicts."""
    right, said = np.asarray(columns["label"]).astype(str), np.asarray(columns["predicted"]).astype(str)
    total, seen = np.zeros(len(weights)), np.zeros(len(weights))
    for name in np.unique(np.concatenate([right, said])):
        both, either = (right == name) & (said == name), (right == name).astype(float) + (said == name)
        found = weights @ either
        total += np.divide(2 * (weights @ both.astype(float)), found, out=np.zeros_like(found), where=found > 0)
        seen += found > 0
    share: NDArray[np.float64] = total / np.maximum(seen, 1)
    return share
