"""The report of ``evaluate`` for a tagger."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqlab.models.classification_report import LARGEST_TABLE
from seqlab.models.resampled_report import ResampledReport
from seqlab.models.span_scores import SpanScore, span_scores, together
from seqlab.text.spans import spans_of, strict_spans_of

SHOWN_CONFUSIONS = 10


class Share(NamedTuple):
    """Numbers of right words, or spans, and of all."""

    right: int
    total: int

    def __str__(self) -> str:
        return f"{self.right / self.total:.2%} of {self.total:,}" if self.total else "none"


@dataclass(frozen=True, kw_only=True)
class TaggingReport(ResampledReport):
    """Measures of a tagger, with every word counted once.

    Args:
        sentences: Number of sentences.
        words: Number of words in them.
        scheme: Scheme of the spans; None if the tags mark no spans.
        kinds: Score of each kind of span, as conlleval counts; empty without a scheme.
        strict: Score of all kinds, without spans that break the rules of the scheme; None without a scheme.
        seen: Right words among those that training had.
        unseen: Right words among the others.
        spans_seen: Found spans whose words training all had.
        spans_unseen: Found spans with another word.
        confusion: Confusion matrix ``(tags, tags)``, rows are true tags, columns predicted tags.
        names: Names of the tags, in the order of ``confusion``.
        unknown: Number of words with a tag that training did not have; each counts as wrong, and not in the loss.
        uncounted: Number of words not in the loss: these words, and with a CRF all words of their sentences.
        cut: Number of sentences tagged in parts.
    """

    sentences: int
    words: int
    scheme: str | None
    kinds: Mapping[str, SpanScore]
    strict: SpanScore | None
    seen: Share
    unseen: Share
    spans_seen: Share
    spans_unseen: Share
    confusion: NDArray[np.int64] = field(repr=False)
    names: Sequence[str]
    unknown: int
    uncounted: int
    cut: int

    @property
    def accuracy(self) -> float:
        """Share of the words whose tag is right."""
        return self.measures["accuracy"]

    @property
    def spans(self) -> SpanScore:
        """Score of all kinds of spans together, as conlleval counts, and seqeval by default."""
        return together(self.kinds.values())

    def rows(self) -> dict[str, str]:
        rows = {"corpus": f"{self.corpus}, {self.split} part"}
        if self.strict is not None:
            rows["F1 of spans"] = f"{self.with_interval('f1')}, as conlleval counts"
            rows["precision, recall"] = f"{self.spans.precision:.2%}, {self.spans.recall:.2%}"
            rows[f"strict {self.scheme}"] = (
                f"F1 {self.strict.f1:.2%}, precision {self.strict.precision:.2%}, recall {self.strict.recall:.2%}"
            )
            rows["found of known"] = f"{self.spans_seen} spans of words that training had"
            rows["found of unknown"] = f"{self.spans_unseen} spans with another word"
        rows["token accuracy"] = self.with_interval("accuracy")
        rows["  seen words"], rows["  unseen words"] = str(self.seen), str(self.unseen)
        rows["loss"] = f"{self.loss:.4f} nats per word"
        rows["counted"] = f"{self.words:,} words of {self.sentences:,} sentences, each once" + self._notes()
        return {**rows, "time": f"{self.seconds:.1f} s, {self.words / self.seconds:,.0f} words/s"}

    def _notes(self) -> str:
        notes = f", {self.unknown:,} of them with a tag that training did not have" if self.unknown else ""
        if self.uncounted > self.unknown:
            notes += f" ({self.uncounted:,} words are not in the loss)"
        return notes + (f", {self.cut:,} sentences tagged in parts" if self.cut else "")

    def __str__(self) -> str:
        lines = [super().__str__()]
        if self.kinds:
            width = max(12, *map(len, self.kinds))
            lines += ["", f"{'kind':<{width}}{'precision':>11}{'recall':>9}{'F1':>9}{'spans':>8}{'predicted':>11}"]
            for kind, one in self.kinds.items():
                shares = f"{one.precision:>11.2%}{one.recall:>9.2%}{one.f1:>9.2%}"
                lines.append(f"{kind:<{width}}{shares}{one.wanted:>8,}{one.said:>11,}")
        if self.confusion.any() and len(self.names) <= LARGEST_TABLE:
            lines += ["", *self._table()]
        if worst := [*self._confusions()]:
            lines += ["", "the most frequent errors", *worst]
        return "\n".join(lines)

    def _table(self) -> Iterator[str]:
        width = max(17, *(len(name) for name in self.names))
        column = max(8, *(len(name) + 2 for name in self.names))
        yield f"{'true, predicted:':<{width}}" + "".join(f"{name:>{column}}" for name in self.names)
        for name, row in zip(self.names, self.confusion.tolist(), strict=True):
            yield f"{name:<{width}}" + "".join(f"{number:>{column},}" for number in row)

    def _confusions(self) -> Iterator[str]:
        wrong = self.confusion * (1 - np.eye(len(self.names), dtype=np.int64))
        for place in np.argsort(-wrong, axis=None, kind="stable")[:SHOWN_CONFUSIONS].tolist():
            right, said = divmod(place, len(self.names))
            if wrong[right, said]:
                yield f"{wrong[right, said]:>8,}  {self.names[said]} for {self.names[right]}"


class Tagging(NamedTuple):
    """Predictions of a tagger for a part of a corpus, sentence by sentence.

    Args:
        words: Words of each sentence.
        wanted: True tags.
        said: Predicted tags.
        known: Whether training had each word.
        nats: Loss in nats of each sentence, summed over its words that count.
        counted: Number of words of each sentence that count in the loss.
    """

    words: list[list[str]]
    wanted: list[list[str]]
    said: list[list[str]]
    known: list[list[bool]]
    nats: list[float]
    counted: list[int]


def columns_of(found: Tagging, scheme: str | None) -> dict[str, list[Any]]:
    """The results of each sentence, by name."""
    pairs = [*zip(found.said, found.wanted, strict=True)]
    columns: dict[str, list[Any]] = {
        "item": [*range(len(pairs))],
        "correct": [sum(a == b for a, b in zip(*pair, strict=True)) for pair in pairs],
        "words": [len(one) for one, _ in pairs],
        "nats": found.nats,
    }
    if scheme is not None:
        scores = [together(span_scores([said], [wanted], spans_of).values()) for said, wanted in pairs]
        columns |= {f"spans_{name}": [getattr(one, name) for one in scores] for name in SpanScore._fields}
    texts = {"label": found.wanted, "predicted": found.said, "text": found.words}
    return {**columns, **{name: [" ".join(row) for row in rows] for name, rows in texts.items()}}


def scores_of(found: Tagging, names: Sequence[str], scheme: str | None) -> dict[str, Any]:
    """The accuracy counts of a report."""
    words = [
        (said, wanted, known)
        for row in zip(found.said, found.wanted, found.known, strict=True)
        for said, wanted, known in zip(*row, strict=True)
    ]
    place = {name: index for index, name in enumerate(names)}
    times = Counter((place.get(wanted), place.get(said)) for said, wanted, _ in words)
    confusion = np.zeros((len(names), len(names)), dtype=np.int64)
    for (right, said_at), number in times.items():
        if right is not None and said_at is not None:
            confusion[right, said_at] = number
    seen, unseen = ([a == b for a, b, known in words if known == wanted] for wanted in (True, False))
    numbers: dict[str, Any] = {
        "seen": Share(sum(seen), len(seen)),
        "unseen": Share(sum(unseen), len(unseen)),
        "unknown": sum(wanted not in place for _, wanted, _ in words),
        "confusion": confusion,
        "names": [*names],
        "kinds": {},
        "strict": None,
        "spans_seen": Share(0, 0),
        "spans_unseen": Share(0, 0),
    }
    if scheme is None:
        return numbers
    numbers["kinds"] = span_scores(found.said, found.wanted, spans_of)
    numbers["strict"] = together(
        span_scores(found.said, found.wanted, lambda tags: strict_spans_of(tags, scheme)).values()
    )
    by_words: dict[bool, list[bool]] = {True: [], False: []}
    for said, wanted, known in zip(found.said, found.wanted, found.known, strict=True):
        there = {*spans_of(said)}
        for span in spans_of(wanted):
            by_words[all(known[span.start : span.end])].append(span in there)
    numbers["spans_seen"], numbers["spans_unseen"] = (
        Share(sum(by_words[seen]), len(by_words[seen])) for seen in (True, False)
    )
    return numbers


ERROR_COLUMNS = ("sentence", "word", "form", "true", "predicted", "known", "in")


def errors_of(found: Tagging) -> Iterator[str]:
    """A line for each wrong tag, separated by tabs: the numbers of the sentence and of the word from 1, the word, the
    true tag, the predicted tag, whether training had the word, and the sentence with the word marked.
    """
    yield "\t".join(ERROR_COLUMNS)
    for number, (words, wanted, said, known) in enumerate(zip(*found[:4], strict=True), 1):
        for place, right in enumerate(wanted):
            if said[place] != right:
                marked = " ".join([*words[:place], f"[[{words[place]}]]", *words[place + 1 :]])
                seen = "seen" if known[place] else "unseen"
                yield "\t".join([str(number), str(place + 1), words[place], right, said[place], seen, marked])
