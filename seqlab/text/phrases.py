"""Phrases of two or more words, found by counts, such as new_york."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqlab.text.tokenize import Tokenizer

JOINT = "_"
"""Separator of the words of a phrase."""
DISCOUNT = 5
"""Discount of the occurrences of a pair."""
MOST_PAIRS = 4_000_000
"""Most distinct pairs in the counts; above that, pairs with one occurrence are dropped."""

Pairs = frozenset[tuple[str, str]]


class PhraseTokenizer:
    """A word tokenizer that joins the words of phrases; ``join`` separates them again.

    Args:
        words: Word tokenizer.
        passes: Pairs to join in each pass, from left to right; a joined pair is a word of the next pass.
    """

    def __init__(self, words: "Tokenizer", passes: Sequence[Pairs]) -> None:
        self._words, self.passes = words, passes
        self._parts = {JOINT.join(pair): pair for pairs in passes for pair in pairs}

    @property
    def name(self) -> str:
        return self._words.name

    @property
    def keeps_text(self) -> bool:
        return self._words.keeps_text

    def phrased(self, words: Iterable[str]) -> list[str]:
        """Words, with the words of phrases joined."""
        found = [*words]
        for pairs in self.passes:
            found = joined(found, pairs)
        return found

    def tokenize(self, text: str) -> list[str]:
        return self.phrased(self._words.tokenize(text))

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        return map(self.phrased, self._words.tokenize_lines(lines))

    def join(self, tokens: Sequence[str]) -> str:
        return self._words.join([word for token in tokens for word in self._apart(token)])

    def _apart(self, token: str) -> Iterator[str]:
        if token not in self._parts:
            yield token
            return
        for part in self._parts[token]:
            yield from self._apart(part)

    def state(self) -> dict[str, object]:
        return {**self._words.state(), "phrases": [sorted(map(list, pairs)) for pairs in self.passes]}


def joined(words: Iterable[str], pairs: Pairs) -> list[str]:
    """Words, with pairs joined from left to right; a word belongs to at most one pair."""
    found: list[str] = []
    free = False
    for word in words:
        if free and (found[-1], word) in pairs:
            found[-1] += JOINT + word
        else:
            found.append(word)
        free = found[-1] is word
    return found


def learn_phrases(lines: Callable[[], Iterator[list[str]]], passes: int, threshold: float) -> list[Pairs]:
    """The pairs of words that occur together more often than by chance (Mikolov et al. 2013, arXiv 1310.4546, equation
    6, times the number of words, as in word2phrase).

        score(a, b) = (count(a b) - DISCOUNT) * words / (count(a) * count(b)) > threshold

    Args:
        lines: Returns a new iterator over the words of each line.
        passes: Number of passes; each pass joins its pairs, so that phrases have up to 2^passes words.
        threshold: Score above which a pair is a phrase.
    """
    found: list[Pairs] = []
    for _ in range(passes):
        words: Counter[str] = Counter()
        pairs: Counter[tuple[str, str]] = Counter()
        for line in lines():
            for before in found:
                line = joined(line, before)
            words.update(line)
            pairs.update(pairwise(line))
            if len(pairs) > MOST_PAIRS:
                pairs = Counter({pair: count for pair, count in pairs.items() if count > 1})
        total = words.total()
        found.append(
            frozenset(
                (a, b)
                for (a, b), count in pairs.items()
                if (count - DISCOUNT) * total > threshold * words[a] * words[b] and _is_word(a) and _is_word(b)
            )
        )
    return found


def _is_word(token: str) -> bool:
    return any(map(str.isalnum, token))
