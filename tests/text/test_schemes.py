import random

import pytest

from seqlab.text.schemes import converted, follows, scheme_of, tag_names, tags_of, violations
from seqlab.text.spans import SCHEMES, Span, spans_of, strict_spans_of

SPANS = [Span("x", 1, 2), Span("x", 2, 4), Span("y", 4, 5), Span("x", 6, 9)]
TAGS = {
    "iob1": "O I-x B-x I-x I-y O I-x I-x I-x",
    "iob2": "O B-x B-x I-x B-y O B-x I-x I-x",
    "iobes": "O S-x B-x E-x S-y O B-x I-x E-x",
    "bilou": "O U-x B-x L-x U-y O B-x I-x L-x",
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tags_of_spans(scheme: str) -> None:
    assert tags_of(SPANS, 9, scheme) == TAGS[scheme].split()
    assert spans_of(TAGS[scheme].split()) == strict_spans_of(TAGS[scheme].split(), scheme) == SPANS


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("other", SCHEMES)
def test_nothing_is_lost_between_schemes(scheme: str, other: str) -> None:
    drawn = random.Random(0)
    for _ in range(100):
        tags, place = [], 0
        while place < 12:
            end = place + drawn.randint(1, 3)
            tags += [Span(drawn.choice("xy"), place, end)] if drawn.random() < 0.6 else []
            place = end
        written = tags_of(tags, place, scheme)
        assert violations(written, scheme) == 0
        assert converted(converted(written, other), scheme) == written


@pytest.mark.parametrize(
    ("tags", "scheme", "count"),
    [
        ("O I-x", "iob2", 1),
        ("B-x I-y I-y", "iob2", 1),
        ("O I-x", "iob1", 0),
        ("B-x I-x", "iob1", 1),
        ("B-x O", "iobes", 1),
        ("B-x", "bilou", 1),
        ("I-x E-x", "iobes", 1),
        ("", "iobes", 0),
    ],
)
def test_violations_are_counted(tags: str, scheme: str, count: int) -> None:
    assert violations(tags.split(), scheme) == count


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("I-x B-x O", "iob1"),
        ("B-x I-x O", "iob2"),
        ("B-x I-x O I-y", "iob2"),
        ("B-x E-x O", "iobes"),
        ("S-x O", "iobes"),
        ("U-x O", "bilou"),
        ("B I O", "iob2"),
        ("NOUN VERB", None),
        ("B-x O NOUN", None),
        ("O O", None),
        ("B I S", None),
    ],
)
def test_the_scheme_of_a_file(tags: str, scheme: str | None) -> None:
    assert scheme_of([tags.split()]) == scheme


def test_every_tag_of_a_scheme() -> None:
    assert tag_names(["y", "x", "y"], "bilou") == ["O", "B-x", "I-x", "L-x", "U-x", "B-y", "I-y", "L-y", "U-y"]


def test_what_may_follow_what() -> None:
    assert follows("iobes", "B-x", "E-x")
    assert not follows("iobes", "B-x", "E-y")
    assert not follows("iobes", "B-x", None)
    assert not follows("iob2", None, "I-x")
    assert follows("iob1", None, "I-x")
