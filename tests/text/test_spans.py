import json
from pathlib import Path

import pytest

from seqlab.errors import UserError
from seqlab.text.spans import Span, check_scheme, spans_of, strict_spans_of

CASES = json.loads((Path(__file__).parents[1] / "fixtures" / "seqeval.json").read_text(encoding="utf-8"))
"""Odd tags at random, with the spans that seqeval 1.2.2 finds in them, by default and strictly."""


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iobes", "bilou"])
def test_the_spans_of_odd_tags_are_those_of_seqeval(scheme: str) -> None:
    cases = CASES[scheme]
    assert len(cases) >= 150
    for case in cases:
        tags = case["tags"].split()
        assert [[*span] for span in strict_spans_of(tags, scheme)] == case["strict"], tags
        if case["default"] is not None:
            assert [[*span] for span in spans_of(tags)] == case["default"], tags


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O I-x I-x O", [Span("x", 1, 3)]),
        ("B-x I-y", [Span("x", 0, 1), Span("y", 1, 2)]),
        ("B-x B-x I-x", [Span("x", 0, 1), Span("x", 1, 3)]),
        ("B I O", [Span("", 0, 2)]),
        ("B-a-b I-a-b", [Span("a-b", 0, 2)]),
        ("U-x B-x L-x", [Span("x", 0, 1), Span("x", 1, 3)]),
        ("", []),
    ],
)
def test_spans_by_hand(tags: str, spans: list[Span]) -> None:
    assert spans_of(tags.split()) == spans


def test_what_breaks_the_rules_is_no_span_strictly() -> None:
    assert strict_spans_of(["O", "I-x", "B-x", "I-x"], "iob2") == [Span("x", 2, 4)]
    assert strict_spans_of(["B-x", "I-x", "O"], "iobes") == []


def test_an_unknown_scheme() -> None:
    with pytest.raises(UserError, match="unknown scheme 'iob': did you mean"):
        check_scheme("iob")
