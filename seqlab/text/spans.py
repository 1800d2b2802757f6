"""Spans of words, marked by tags such as ``B-person I-person O``, read leniently or strictly."""

from collections.abc import Sequence
from typing import NamedTuple

from seqlab.errors import UserError, nearest

OUTSIDE = "O"
SAME, OTHER = frozenset({True}), frozenset({False})
ANY = SAME | OTHER
ENDS = {"L": "E", "U": "S"}
"""Prefixes of BILOU -> prefixes of IOBES."""

Pattern = tuple[str, str, frozenset[bool]]
"""Prefixes of one tag, prefixes of the next tag, and whether both must have, or must not have, the same kind."""


class Span(NamedTuple):
    """Words ``start`` to ``end - 1`` of a sentence, with their ``kind``, which is empty for tags without kinds."""

    kind: str
    start: int
    end: int


class Strict(NamedTuple):
    """Rules of a scheme: when a tag starts a span, continues it, and ends the previous one (seqeval 1.2, scheme.py)."""

    start: tuple[Pattern, ...]
    inside: tuple[Pattern, ...]
    end: tuple[Pattern, ...]


STRICT: dict[str, Strict] = {
    "iob1": Strict(
        (("O", "I", ANY), ("I", "I", OTHER), ("B", "I", ANY), ("IB", "B", SAME)),
        (("BI", "I", SAME),),
        (("IB", "I", OTHER), ("IB", "O", ANY), ("I", "B", ANY), ("B", "B", SAME)),
    ),
    "iob2": Strict(
        (("IOB", "B", ANY),),
        (("BI", "I", SAME),),
        (("IB", "OB", ANY), ("IB", "I", OTHER)),
    ),
    "iobes": Strict(
        (("IOBES", "BS", ANY),),
        (("BI", "IE", SAME),),
        (("SE", "IOBES", ANY),),
    ),
    "bilou": Strict(
        (("BILOU", "BU", ANY),),
        (("BI", "IL", SAME),),
        (("UL", "BILOU", ANY),),
    ),
}
SCHEMES = (*STRICT,)


def check_scheme(scheme: str) -> None:
    """Checks the name of a scheme.

    Raises:
        UserError: The name is not in ``SCHEMES``.
    """
    if scheme not in STRICT:
        raise UserError(f"unknown scheme '{scheme}': {nearest(scheme, SCHEMES)}")


def parted(tag: str) -> tuple[str, str]:
    """Prefix and kind of a tag: ``("B", "person")``."""
    prefix, _, kind = tag.partition("-")
    return prefix, kind


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans as in conlleval, and seqeval's default: a span also begins at an I without B, or of another kind.

    Args:
        tags: Tags of one sentence, in any scheme.
    """
    spans: list[Span] = []
    before, kind_before, start = OUTSIDE, "", 0
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, kind = parted(tag)
        prefix = ENDS.get(prefix, prefix)
        differs = kind != kind_before
        if before != OUTSIDE and (before in "ES" or prefix in "BSO" or differs):
            spans.append(Span(kind_before, start, place))
        if prefix in "BS" or (prefix in "IE" and (before in "OES" or differs)):
            start = place
        before, kind_before = prefix, kind
    return spans


def strict_spans_of(tags: Sequence[str], scheme: str) -> list[Span]:
    """The valid spans of a scheme, as in seqeval with ``mode="strict"``; tags that break its rules make no span.

    Args:
        tags: Tags of one sentence.
        scheme: A name of ``SCHEMES``.
    """
    rules, spans = STRICT[scheme], []
    parts = [parted(tag) for tag in (*tags, OUTSIDE)]
    before, place = (OUTSIDE, ""), 0
    while place < len(parts):
        begin = place
        place += 1
        if _matches(rules.start, before, parts[begin]):
            while place < len(parts) and _matches(rules.inside, parts[place - 1], parts[place]):
                place += 1
            if place < len(parts) and _matches(rules.end, parts[place - 1], parts[place]):
                spans.append(Span(parts[begin][1], begin, place))
        before = parts[place - 1]
    return spans


def _matches(patterns: Sequence[Pattern], before: tuple[str, str], tag: tuple[str, str]) -> bool:
    same = before[1] == tag[1]
    return any(before[0] in first and tag[0] in second and same in kinds for first, second, kinds in patterns)
