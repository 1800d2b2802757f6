"""Text <-> ids: cleaning, tokenizer and vocabulary in one."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, tee
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqlab.errors import UserError
from seqlab.text.clean import check_cleaning, clean_lines, marks_apart, restored
from seqlab.text.line_reader import Unended, ended_lines
from seqlab.text.phrases import PhraseTokenizer, learn_phrases
from seqlab.text.subwords import LONGEST_LEARNED, in_parts
from seqlab.text.tokenize import (
    PHRASED,
    CharTokenizer,
    Tokenizer,
    check_tokens,
    learning,
    tokenizer_from_state,
    untrained,
)
from seqlab.text.vocab import BOS, EOS, UNK, Vocab

PIECE = 2**20
"""Characters to encode at once."""


class Codec:
    """Text <-> ids, the same for training text, prompts and outputs.

    ``classic`` character text joins words at line ends, as in the book. With all other tokens a space separates the
    lines of ``classic`` text, as in ``letters``.

    Args:
        cleaning: A name of ``CLEANERS``.
        tokenizer: Tokenizer of cleaned text.
        vocab: Vocabulary of the tokens.
        max_length: Most tokens of a text, for callers that cut longer texts; None for no limit.
        line_ends: Whether each line end is a token, ``<eos>``.
        line_begins: Whether each line begins with a token, ``<bos>``; only with ``line_ends``.
    """

    def __init__(
        self,
        cleaning: str,
        tokenizer: Tokenizer,
        vocab: Vocab,
        max_length: int | None = None,
        line_ends: bool = False,
        line_begins: bool = False,
    ) -> None:
        check_cleaning(cleaning)
        self.line_ends, self.line_begins = line_ends, line_begins
        self.cleaning = cleaning
        self.tokenizer = tokenizer
        self.vocab = vocab
        self.max_length = max_length

    @classmethod
    def build(
        cls,
        lines: Callable[[], Iterator[str]],
        cleaning: str = "classic",
        tokens: str = "char",
        min_freq: int = 0,
        vocab_size: int = 8000,
        reserved: Sequence[str] = (UNK,),
        line_ends: bool = False,
        line_begins: bool = False,
        phrases: int = 0,
        phrase_threshold: float = 100.0,
    ) -> Self:
        """Learns tokens and vocabulary from a training text, without holding the whole text.

        Ids are in order of frequency; subwords are counted over about a million characters.

        Args:
            lines: Returns a new iterator over the uncleaned lines.
            cleaning: A name of ``CLEANERS``.
            tokens: A name of ``TOKENIZERS``.
            min_freq: Characters or words with fewer occurrences become ``<unk>``.
            vocab_size: Size of a subword vocabulary, with ``<unk>`` but without other reserved tokens.
            reserved: Tokens that always have ids.
            line_ends: Whether each line end is a token, ``<eos>``.
            line_begins: Whether each line begins with a token, ``<bos>``.
            phrases: Passes over the text that find phrases, only for words; see ``seqlab.text.phrases``.
            phrase_threshold: Score above which two words are a phrase.

        Raises:
            UserError: A name is unknown, or a number is out of its range.
        """
        check_cleaning(cleaning)
        check_tokens(tokens)
        if phrases and tokens not in PHRASED:
            ways = " or ".join(PHRASED)
            raise UserError(f"phrases are of words, not of {tokens}; give --data.tokens {ways}, or --data.phrases 0")
        for name, value, least in (("min_freq", min_freq, 0), ("vocab_size", vocab_size, 1), ("phrases", phrases, 0)):
            if value < least:
                raise UserError(f"{name} {value} must be a whole number of at least {least}")
        marked = (BOS,) * line_begins + (EOS,) * line_ends
        reserved = tuple(dict.fromkeys([UNK, *reserved, *marked]))
        rule = _rule(cleaning, tokens, line_ends)
        kind = learning(tokens)
        if kind is not None:
            cleaned = clean_lines(_bodies(lines(), line_ends), rule)
            parts = (part for line in cleaned for part in in_parts(line, LONGEST_LEARNED))
            trained = kind.train(parts, vocab_size)
            begin = next(_pieces(clean_lines(_bodies(lines(), line_ends), rule)))
            seen = Counter(chain.from_iterable(trained.tokenize_lines(begin)))
            vocab = Vocab({piece: seen[piece] for piece in trained.pieces}, reserved=reserved)
            return cls(cleaning, trained, vocab, None, line_ends, line_begins)
        tokenizer = untrained(tokens, marks_apart(cleaning))
        if phrases:
            words = tokenizer
            found = learn_phrases(
                lambda: map(words.tokenize, clean_lines(_bodies(lines(), line_ends), rule)), phrases, phrase_threshold
            )
            tokenizer = PhraseTokenizer(words, found)
        counts: Counter[str] = Counter()
        for line in clean_lines(_bodies(lines(), line_ends), rule):
            counts.update(line if tokens == "char" else tokenizer.tokenize(line))
        return cls(cleaning, tokenizer, Vocab(counts, min_freq, reserved), None, line_ends, line_begins)

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return len(self.vocab)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest of uint8, uint16 and uint32 that holds every id."""
        return np.min_scalar_type(self.vocab_size - 1)

    def clean(self, text: str) -> str:
        """Cleans a short text.

        A space at either end of a prompt has a meaning, so it is kept even in ``classic`` character text, whose lines
        have no such spaces.
        """
        cleaned = "".join(clean_lines(ended_lines(text), self._rule))
        if self._rule != "classic":
            return cleaned
        before, after = text.startswith(" "), text.endswith(" ")
        return " " * before + cleaned + " " * (after and bool(cleaned or not before))

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a short text, cleaned."""
        return self.tokenizer.tokenize(self.clean(text))

    def words(self, text: str) -> list[str]:
        """The tokens of a short text, cleaned, without those of white space."""
        return [token for token in self.tokenize(text) if token.strip()]

    def encode(self, text: str) -> list[int]:
        """The ids of a short text such as a prompt; its last line has not ended."""
        if not self.line_ends:
            return self.vocab.ids(self.tokenize(text))
        lines = ended_lines(text) or [""]
        ids = [self._line(self.tokenize(line.removesuffix("\n"))) for line in lines]
        whole = list(chain.from_iterable(ids))
        return whole if text.endswith("\n") else whole[:-1]

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """The cleaned text of ids.

        Raises:
            IndexError: An id is not in the vocabulary.
        """
        tokens = self.vocab.tokens(ids)
        if self.line_ends:
            tokens = ["\n" if token == EOS else token for token in tokens if token != BOS]
        return self.tokenizer.join(tokens)

    def written(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """The text of ids as people write it.

        Raises:
            IndexError: An id is not in the vocabulary.
        """
        return restored(self.decode(ids), self.cleaning)

    def reference(self, text: str) -> str:
        """A text as people write it that has gone the way of what a model says; ``written`` is compared with it.

        Tokenizers of old rules do not give a text back; there it stays as cleaning leaves it, as it was measured then.
        """
        cleaned = self.clean(text)
        if self.tokenizer.keeps_text:
            cleaned = self.tokenizer.join(self.tokenizer.tokenize(cleaned))
        return restored(cleaned, self.cleaning)

    def unknown(self, text: str) -> list[str]:
        """The distinct tokens of a text that the vocabulary lacks, in the order of the text."""
        return [token for token in dict.fromkeys(self.tokenize(text)) if token not in self.vocab]

    def encode_lines(self, lines: Iterable[str]) -> Iterator[NDArray[Any]]:
        """The ids of a long text, in pieces of at most about a million.

        Args:
            lines: Uncleaned lines.

        Returns:
            Arrays ``(tokens,)`` of ``dtype``; their lengths mean nothing.
        """
        if self.line_ends:
            yield from self._encode_ended(lines)
            return
        for piece in _pieces(clean_lines(lines, self._rule)):
            ids = self._encode(piece)
            if len(ids):
                yield ids

    def state(self) -> dict[str, object]:
        """Plain values that ``codec_of`` rebuilds this codec from."""
        state: dict[str, object] = {
            "cleaning": self.cleaning,
            "tokenizer": self.tokenizer.state(),
            "vocab": self.vocab.state(),
        }
        rest = {"max_length": self.max_length, "line_ends": self.line_ends, "line_begins": self.line_begins}
        return {**state, **{key: value for key, value in rest.items() if value}}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The codec that gave this state.

        Raises:
            UserError: It names an unknown cleaning or tokenizer.
        """
        parts = tokenizer_from_state(state["tokenizer"]), Vocab.from_state(state["vocab"])
        marks = state.get("line_ends", False), state.get("line_begins", False)
        return cls(state["cleaning"], *parts, state.get("max_length"), *marks)

    @property
    def _rule(self) -> str:
        return _rule(self.cleaning, self.tokenizer.name, self.line_ends)

    def _line(self, tokens: Iterable[str]) -> list[int]:
        """The ids of a line between its marks."""
        begin = [self.vocab.id_of(BOS)] if self.line_begins else []
        return [*begin, *self.vocab.ids(tokens), self.vocab.id_of(EOS)]

    def _encode_ended(self, lines: Iterable[str]) -> Iterator[NDArray[Any]]:
        ids: list[int] = []
        held: list[str] = []
        given, asked = tee(lines)
        cleaned = clean_lines(_bodies(asked, True), self._rule)
        for line, tokens in zip(given, map(self.tokenizer.tokenize, cleaned), strict=True):
            held += tokens
            if not isinstance(line, Unended):
                ids += self._line(held)
                held = []
            if len(ids) >= PIECE:
                yield np.array(ids, dtype=self.dtype)
                ids = []
        if ids:
            yield np.array(ids, dtype=self.dtype)

    def _encode(self, lines: Sequence[str]) -> NDArray[Any]:
        if isinstance(self.tokenizer, CharTokenizer):
            codes = np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), dtype="<u4")
            ids: NDArray[Any] = self._id_of_code[np.minimum(codes, len(self._id_of_code) - 1)]
            return ids
        tokens = chain.from_iterable(self.tokenizer.tokenize_lines(lines))
        return np.array(self.vocab.ids(tokens), dtype=self.dtype)

    @cached_property
    def _id_of_code(self) -> NDArray[Any]:
        """The id of each code point, and a last entry for all greater ones."""
        codes = {ord(token): self.vocab[token] for token, _ in self.vocab.frequencies}
        table = np.full(max(codes, default=0) + 2, self.vocab.unk, dtype=self.dtype)
        table[list(codes)] = list(codes.values())
        return table


def _rule(cleaning: str, tokens: str, line_ends: bool) -> str:
    if line_ends and cleaning == "letters":
        return "classic"  # a line end is a token, and no space beside it
    return "letters" if cleaning == "classic" and tokens != "char" and not line_ends else cleaning


def _bodies(lines: Iterable[str], line_ends: bool) -> Iterable[str]:
    """The lines, without their ends where these are tokens."""
    return (_body(line) for line in lines) if line_ends else lines


def _body(line: str) -> str:
    return line if isinstance(line, Unended) else line.removesuffix("\n")


def _pieces(lines: Iterable[str]) -> Iterator[list[str]]:
    piece: list[str] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= PIECE:
            yield piece
            piece, size = [], 0
    yield piece
