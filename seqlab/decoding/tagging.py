"""Tagged sentences for users: in columns, inline, as HTML."""

import html
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from seqlab.text.spans import OUTSIDE, spans_of

HUES = 47
"""Degrees of hue between the colours of two kinds."""


class Way(NamedTuple):
    """One tag sequence of a sentence, and its probability."""

    tags: list[str]
    probability: float


class Tagged(NamedTuple):
    """A sentence, its words and their tags.

    Args:
        text: The given text.
        words: Words of the text.
        tags: A tag for each word.
        spans: Spans of the tags: ``kind``, ``start`` and ``end`` in words, ``text``; empty if the tags mark no spans.
        offsets: Begin and end of each word in the text, in characters from 0; None unless requested.
        probabilities: Probability of each word's tag over all tag sequences; None unless requested.
        paths: The most likely tag sequences, first that of ``tags``; None unless requested.
        parts: Number of parts in which it was tagged; above 1 for a sentence over the model's limit.
    """

    text: str
    words: list[str]
    tags: list[str]
    spans: list[dict[str, Any]]
    offsets: list[tuple[int, int]] | None = None
    probabilities: list[float] | None = None
    paths: list[Way] | None = None
    parts: int = 1

    def __str__(self) -> str:
        if self.paths is None:
            return inline(self.words, self.tags)
        return "\n".join(f"{path.probability:.4f}\t{inline(self.words, path.tags)}" for path in self.paths)


class Spelled(Tagged):
    """A word with tagged characters: ``hello -> ohlol``."""

    def __str__(self) -> str:
        if self.paths is None:
            return arrow(self.words, self.tags)
        return "\n".join(f"{path.probability:.4f}\t{arrow(self.words, path.tags)}" for path in self.paths)


def arrow(characters: Iterable[str], tags: Sequence[str]) -> str:
    """``hello -> ohlol``; tags of several characters are separated."""
    between = "" if all(len(tag) == 1 for tag in tags) else " "
    return f"{''.join(characters)} -> {between.join(tags)}"


def inline(words: Iterable[str], tags: Iterable[str]) -> str:
    """``the_DT cat_NN``."""
    return " ".join(f"{word}_{tag}" for word, tag in zip(words, tags, strict=True))


def spans_in(words: Sequence[str], tags: Sequence[str], marks: bool) -> list[dict[str, Any]]:
    """The spans of tags, if the tags mark spans."""
    found = spans_of(tags) if marks else []
    return [{**span._asdict(), "text": " ".join(words[span.start : span.end])} for span in found]


def as_inline(sentences: Iterable[Tagged]) -> Iterator[str]:
    """One line per sentence: ``the_DT cat_NN``, or ``hello -> ohlol`` for tagged characters."""
    return map(str, sentences)


def as_conll(sentences: Iterable[Tagged]) -> Iterator[str]:
    """One line per word with columns separated by tabs: word, optional offsets, tag or tags, optional probability; a
    blank line between sentences.
    """
    for number, one in enumerate(sentences):
        columns: list[Sequence[Any]] = [one.words]
        if one.offsets is not None:
            columns += [[start for start, _ in one.offsets], [end for _, end in one.offsets]]
        columns += [one.tags] if one.paths is None else [path.tags for path in one.paths]
        if one.probabilities is not None:
            columns.append([f"{value:.4f}" for value in one.probabilities])
        if number:
            yield ""
        yield from ("\t".join(map(str, row)) for row in zip(*columns, strict=True))


def as_html(sentences: Iterable[Tagged]) -> Iterator[str]:
    """An HTML page with one paragraph per sentence; each kind of span, or each tag, has its own colour."""
    yield '<!doctype html><meta charset="utf-8"><title>Tagged</title>'
    yield "<style>mark{padding:0 .2em;border-radius:.2em}sub{font-size:.6em;margin-left:.2em}</style>"
    hues: dict[str, int] = {}
    for one in sentences:
        begins = {span["start"]: (span["end"], span["kind"]) for span in one.spans}
        plain = not one.spans and any(tag != OUTSIDE for tag in one.tags)
        parts, place = [], 0
        while place < len(one.words):
            end, kind = begins.get(place, (place + 1, one.tags[place] if plain else None))
            words = html.escape(" ".join(one.words[place:end]))
            if kind is None:
                parts.append(words)
            else:
                hue = hues.setdefault(kind, len(hues) * HUES % 360)
                mark = f'<mark style="background:hsl({hue},80%,85%)">{words}<sub>{html.escape(kind)}</sub></mark>'
                parts.append(mark)
            place = end
        yield f"<p>{' '.join(parts)}</p>"


def as_json(sentences: Iterable[Tagged]) -> Iterator[str]:
    """One JSON object per line, only with the requested fields."""
    for one in sentences:
        fields = {name: value for name, value in one._asdict().items() if value is not None}
        if one.paths is not None:
            fields["paths"] = [way._asdict() for way in one.paths]
        yield json.dumps(fields, ensure_ascii=False)


FORMATS: dict[str, Callable[[Iterable[Tagged]], Iterator[str]]] = {
    "conll": as_conll,
    "inline": as_inline,
    "html": as_html,
    "json": as_json,
}
