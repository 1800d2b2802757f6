"""WordPiece: subwords, the longest known piece first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import regex
from tokenizers import Tokenizer as Library
from tokenizers import models

from seqlab.text.subwords import MARK, MARKED, train_bpe
from seqlab.text.vocab import UNK

LATER = "##"
"""Prefix of a piece without a space before it."""
MARKS = r"!-/:-@\[-`{-~\p{P}"
KEPT_WORDS = 2**16
"""Most words in the cache of pieces."""


class WordPieceTokenizer:
    """WordPiece (Devlin et al., 2019, N19-1423): pieces without a space before them begin with ``##``.

    It loses single characters that the training text lacks, and a space at the beginning of a line. The library's own
    trainer numbers its pieces in the order of a randomly seeded hash table, so that two processes would disagree. So
    the library's deterministic byte pair trainer learns the pieces here, from words that begin with a mark; the mark
    distinguishes first pieces from later ones.

    Args:
        pieces: All pieces, ``<unk>`` first.
    """

    name: ClassVar[str] = "wordpiece"
    keeps_text: ClassVar[bool] = True
    words: ClassVar["regex.Pattern[str]"] = regex.compile(rf"\n|{MARK}?(?:[{MARKS}]|[^{MARK}\s{MARKS}]++)|{MARK}|\s")

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = list(pieces)
        self._known = frozenset(self.pieces[1:])
        self._longest = max(map(len, self.pieces))
        self._kept: dict[str, list[str]] = {}

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        """Learns the pieces, see ``SubwordTokenizer.train``."""
        found = train_bpe(Library(models.BPE()), (word for line in lines for word in cls._words(line)), vocab_size)
        alphabet = [piece for piece in found if len(piece) == 1 and piece not in (MARK, "\n")]
        spelled = [_named(piece) for piece in found]
        least = dict.fromkeys([UNK, "\n", MARK, *alphabet, *(f"{LATER}{character}" for character in alphabet)])
        return cls(list(dict.fromkeys([*least, *spelled]))[: max(vocab_size, len(least))])

    @classmethod
    def _words(cls, text: str) -> list[str]:
        """Words, each with a mark for its space in front; the first word of a line has a mark too."""
        words: list[str] = cls.words.findall(text.translate(MARKED))
        begins = (True, *(word == "\n" for word in words))
        return [
            f"{MARK}{word}" if begin and word != "\n" and not word.startswith(MARK) else word
            for begin, word in zip(begins, words, strict=False)
        ]

    def tokenize(self, text: str) -> list[str]:
        return [piece for word in self._words(text) for piece in (self._kept.get(word) or self._cut(word))]

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        return map(self.tokenize, lines)

    def _cut(self, word: str) -> list[str]:
        """The pieces of a word, the longest known piece first; an unknown character stays unchanged."""
        if word in ("\n", MARK):
            return [word]
        found: list[str] = []
        place, before = 0, "" if word.startswith(MARK) else LATER
        rest = word.removeprefix(MARK)
        while place < len(rest):
            last = min(len(rest), place + self._longest)
            pieces = (f"{before}{rest[place:end]}" for end in range(last, place, -1))
            piece = next((one for one in pieces if one in self._known), f"{before}{rest[place]}")
            found.append(piece)
            place += len(piece) - len(before)
            before = LATER
        if len(self._kept) < KEPT_WORDS:
            self._kept[word] = found
        return found

    def join(self, tokens: Sequence[str]) -> str:
        text: list[str] = []
        before = "\n"
        for token in tokens:
            later = token.startswith(LATER) and len(token) > len(LATER)
            if not (later or token in ("\n", MARK) or before == "\n"):
                text.append(MARK)
            text.append(token.removeprefix(LATER) if later else token)
            before = token
        return "".join(text).translate(MARKED)

    def state(self) -> dict[str, object]:
        return {"name": self.name, "rules": 2, "pieces": self.pieces}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The tokenizer that gave this state."""
        return cls(state["pieces"])


def _named(piece: str) -> str:
    if piece in (MARK, "\n"):
        return piece
    return piece.removeprefix(MARK) if piece.startswith(MARK) else f"{LATER}{piece}"
