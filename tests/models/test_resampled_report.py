from typing import Any

import pytest

from seqlab.metrics import Measure
from seqlab.models.classification import TextClassifier
from seqlab.models.resampled_report import ResampledReport, intervals_of


def test_intervals_hold_the_value() -> None:
    labels, said = [*"aaabbc"], [*"aabbac"]
    correct = [int(one == other) for one, other in zip(labels, said, strict=True)] * 20
    items = {"correct": correct, "label": labels * 20, "predicted": said * 20}
    found = intervals_of(TextClassifier.measures, items)
    assert found["accuracy"].value == pytest.approx(4 / 6)
    assert found["accuracy"].low < 4 / 6 < found["accuracy"].high
    half = 1.96 * (4 / 6 * 2 / 6 / 120) ** 0.5
    assert found["accuracy"].high - found["accuracy"].low == pytest.approx(2 * half, rel=0.1)


def report(correct: list[int]) -> ResampledReport:
    measures: dict[str, Measure] = {"accuracy": TextClassifier.measures["accuracy"]}
    told: dict[str, Any] = {"corpus": "x", "split": "test", "loss": 1.0, "count": len(correct), "seconds": 1.0}
    share = {"accuracy": sum(correct) / len(correct)}
    return ResampledReport(**told, measures=share, columns={"correct": correct}, resampled=measures)


def test_a_measure_is_written_with_its_interval_where_it_has_one() -> None:
    made = report([1, 0] * 50)
    mean = made.intervals["accuracy"]
    assert made.with_interval("accuracy") == f"50.00%   [{mean.low:.2%} .. {mean.high:.2%}]"
    assert report([1]).with_interval("accuracy") == "100.00%"
