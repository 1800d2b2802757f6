"""Reports of made-up answers, with every number worked out by hand."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seqlab.models.classification import TextClassifier
from seqlab.models.classification_report import ClassificationReport
from seqlab.models.classified import Classified, report_of
from seqlab.nn.bag import BagOptions
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels


def report(
    probabilities: list[list[float]], wanted: list[Any], labels: list[str], separator: str | None = None, **options: Any
) -> ClassificationReport:
    names = sorted({"a", "b"} | ({"c"} if len(probabilities[0]) == 3 else set()))
    codecs = {"text": Codec.build(lambda: iter(["x y"]), tokens="word"), "label": Labels(names, separator)}
    model = TextClassifier(BagOptions(embedding_size=2, buckets=3), codecs)
    data: Any = SimpleNamespace(
        corpus_name="made up",
        labels=lambda split: labels,
        item="text",
        inputs=lambda split: [f"text {row}" for row in range(len(labels))],
    )
    given = torch.tensor(probabilities, dtype=torch.float32)
    counted = sum(one != -1 for one in wanted) if separator is None else len(wanted)
    found = Classified(0.5, counted, torch.zeros(len(given)), given, torch.tensor(wanted))
    return report_of(model, data, "test", found, **{"items": True, "errors": 1, "seconds": 2.0, **options})


def test_one_label_a_text() -> None:
    """Of a two, of b one, of c one text; b is said of an a with probability 0.7, and of a label that nobody knew."""
    made = report(
        [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.1, 0.1, 0.8], [0.3, 0.5, 0.2]],
        [0, 0, 1, 2, -1],
        ["a", "a", "b", "c", "d"],
    )
    assert made.measures["accuracy"] == pytest.approx(3 / 5)
    assert made.classes["a"] == (1.0, 0.5, pytest.approx(2 / 3), 2)
    assert made.classes["b"] == (pytest.approx(1 / 3), 1.0, pytest.approx(0.5), 1)
    assert made.classes["c"] == (1.0, 1.0, 1.0, 1)
    assert made.measures["f1"] == pytest.approx((2 / 3 + 0.5 + 1 + 0) / 4)  # the unknown label counts as a class
    assert made.weighted_f1 == pytest.approx((2 * 2 / 3 + 0.5 + 1) / 5)
    assert made.confusion is not None
    assert made.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert made.calibration_error == pytest.approx((abs(2 * 0.8 - 2) + 0.7 + abs(0.6 - 1)) / 4, abs=1e-6)
    assert (made.unseen, made.threshold) == (1, None)
    (error,) = made.errors  # the surest
    assert (error.input, error.label, error.said, error.probability) == ("text 1", "a", "b", pytest.approx(0.7))
    assert made.items["predicted"] == ["a", "b", "b", "c", "b"]
    assert made.items["correct"] == [1, 0, 1, 1, 0]


def test_two_classes_have_a_threshold() -> None:
    made = report([[0.6, 0.4], [0.3, 0.7]], [0, 1], ["a", "b"], items=False)
    assert made.threshold == 0.5
    assert not made.items
    assert made.measures["accuracy"] == 1


def test_several_labels_a_text() -> None:
    """Right is a text all of whose labels are; it is as sure as the label that it is least sure of."""
    made = report([[0.9, 0.2], [0.6, 0.8]], [[1, 0], [0, 1]], ["a", "b"], separator=";")
    assert made.measures["accuracy"] == 0.5
    assert made.measures["f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert made.confusion is None
    assert made.classes["a"] == (0.5, 1.0, pytest.approx(2 / 3), 1)
    assert made.items["predicted"] == ["a", "a;b"]
    assert made.items["probability"] == [pytest.approx(0.8), pytest.approx(0.6)]
