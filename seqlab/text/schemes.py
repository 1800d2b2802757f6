"""Tagging schemes: allowed transitions, tags of spans, and the scheme of a file."""

import re
from collections.abc import Iterable, Sequence

from seqlab.text.spans import OUTSIDE, SCHEMES, Span, parted, spans_of

TAG = re.compile(r"O|[BIESLU](-.+)?")
PREFIXES = {"iob1": "BI", "iob2": "BI", "iobes": "BIES", "bilou": "BILU"}
MARKS = {"iobes": ("E", "S"), "bilou": ("L", "U")}
"""Prefixes of the last word of a span, and of one that is a whole span."""


def follows(scheme: str, before: str | None, tag: str | None) -> bool:
    """Whether a tag may follow another; None stands for the border of the sentence."""
    prefix, kind = parted(OUTSIDE if tag is None else tag)
    last, last_kind = parted(OUTSIDE if before is None else before)
    if scheme == "iob1":
        return prefix != "B" or (last in "BI" and kind == last_kind)
    if scheme == "iob2":
        return prefix != "I" or (last in "BI" and kind == last_kind)
    end, _ = MARKS[scheme]
    return (prefix in ("I", end)) == (last in "BI") and (last not in "BI" or kind == last_kind)


def violations(tags: Sequence[str], scheme: str) -> int:
    """Number of forbidden transitions, including those to the end of the sentence."""
    if not tags:
        return 0
    pairs = zip([None, *tags], [*tags, None], strict=True)
    return sum(not follows(scheme, before, tag) for before, tag in pairs)


def tags_of(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """The tags of a sentence of ``length`` words with these spans, which must be sorted and must not overlap."""
    tags, last = [OUTSIDE] * length, Span("", -1, -1)
    for span in spans:
        kind = f"-{span.kind}" if span.kind else ""
        tags[span.start : span.end] = [f"I{kind}"] * (span.end - span.start)
        if scheme != "iob1" or (last.end == span.start and last.kind == span.kind):
            tags[span.start] = f"B{kind}"
        if scheme in MARKS:
            end, single = MARKS[scheme]
            tags[span.end - 1] = f"{single if span.end == span.start + 1 else end}{kind}"
        last = span
    return tags


def converted(tags: Sequence[str], scheme: str) -> list[str]:
    """Converts tags of any scheme to another; tags that break the rules are read as in ``spans_of``."""
    return tags_of(spans_of(tags), len(tags), scheme)


def tag_names(kinds: Iterable[str], scheme: str) -> list[str]:
    """Every tag that a scheme has for spans of these kinds."""
    return [OUTSIDE, *(f"{p}-{kind}" if kind else p for kind in sorted(set(kinds)) for p in PREFIXES[scheme])]


def scheme_of(sentences: Sequence[Sequence[str]]) -> str | None:
    """The scheme of a file's tags; None for tags without spans, such as parts of speech.

    Between IOB1 and IOB2 it is the scheme with fewer violations, and IOB2 for equal numbers.
    """
    seen = {tag for tags in sentences for tag in tags}
    spans = seen - {OUTSIDE}
    if not spans or not all(TAG.fullmatch(tag) for tag in seen):
        return None
    if OUTSIDE not in seen and any("-" not in tag for tag in spans):
        return None
    prefixes = {parted(tag)[0] for tag in spans}
    possible = [scheme for scheme in ("iob2", "iob1", "iobes", "bilou") if prefixes <= {*PREFIXES[scheme]}]
    if not possible:
        return None
    if not prefixes <= {"B", "I"}:
        return possible[0]
    return min(possible[:2], key=lambda scheme: sum(violations(tags, scheme) for tags in sentences))


__all__ = ["SCHEMES", "converted", "follows", "scheme_of", "tag_names", "tags_of", "violations"]
