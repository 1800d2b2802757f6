import json
from pathlib import Path

import numpy as np
import pytest

from seqlab.models.span_scores import SpanF1, SpanScore, of_span_f1, span_scores, together
from seqlab.text.spans import spans_of, strict_spans_of

CASES = json.loads((Path(__file__).parents[1] / "fixtures" / "seqeval.json").read_text(encoding="utf-8"))["scores"]
"""Odd tags at random, with precision, recall, F1 and spans of each kind that seqeval 1.2.2 reports."""


@pytest.mark.parametrize("scheme", ["iob2", "iobes"])
@pytest.mark.parametrize("mode", ["default", "strict"])
def test_odd_output_scores_what_seqeval_says(scheme: str, mode: str) -> None:
    case = CASES[scheme]
    said, wanted = ([row.split() for row in case[name]] for name in ("said", "wanted"))
    read = spans_of if mode == "default" else lambda tags: strict_spans_of(tags, scheme)
    scores = span_scores(said, wanted, read)
    scores["micro avg"] = together(scores.values())
    assert scores.keys() == case[mode].keys()
    for kind, expected in case[mode].items():
        one = scores[kind]
        assert [one.precision, one.recall, one.f1, one.wanted] == pytest.approx(expected, abs=1e-12), kind


def test_nothing_said_and_nothing_there_is_zero() -> None:
    assert span_scores([["O"]], [["O"]], spans_of) == {}
    assert together([]) == SpanScore(0, 0, 0)
    assert (together([]).precision, together([]).recall, together([]).f1) == (0.0, 0.0, 0.0)


def test_the_metric_adds_batches_up() -> None:
    metric = SpanF1()
    assert float(metric.compute()) == 0.0
    metric.update(SpanScore(1, 2, 3))
    metric.update(SpanScore(2, 2, 2))
    assert float(metric.compute()) == pytest.approx(6 / 9)


def test_resampled_sentences() -> None:
    columns = {"spans_right": [1, 0], "spans_said": [2, 0], "spans_wanted": [1, 1]}
    arrays = {name: np.array(column) for name, column in columns.items()}
    found = of_span_f1(arrays, np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]]))
    assert found == pytest.approx([2 / 4, 4 / 6, 0.0])
