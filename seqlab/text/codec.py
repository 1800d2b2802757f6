"""Text <-> ids: cleaning, tokenizer and vocabulary in one."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from io import StringIO
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqlab.errors import UserError
from seqlab.text.clean import check_cleaning, clean_lines
from seqlab.text.labels import Labels
from seqlab.text.series_codec import SeriesCodec
from seqlab.text.tokenize import SUBWORDS, TOKENIZERS, CharTokenizer, Tokenizer, check_tokens, tokenizer_from_state
from seqlab.text.vocab import UNK, Vocab

PIECE = 2**20
"""Characters that are encoded at once."""


class Codec:
    """Text <-> ids, the same way for the training text, for a prompt and for what a model says.

    ``classic`` character text runs words together at line joints, as in the book; with every other kind of tokens the
    lines of ``classic`` text stay a space apart, as in ``letters``.

    Args:
        cleaning: A name of ``CLEANERS``.
        tokenizer: Between cleaned text and tokens.
        vocab: Between tokens and ids.
        max_length: Most tokens of a text, for whoever cuts longer ones; none where texts have no bound.
    """

    def __init__(self, cleaning: str, tokenizer: Tokenizer, vocab: Vocab, max_length: int | None = None) -> None:
        check_cleaning(cleaning)
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
    ) -> Self:
        """Learns tokens and vocabulary from a training text, which is never held whole.

        Ids are given by frequency; that of subwords is counted over about a million characters.

        Args:
            lines: Gives a fresh iterator over the uncleaned lines.
            cleaning: A name of ``CLEANERS``.
            tokens: A name of ``TOKENIZERS``.
            min_freq: Characters or words seen less often than this become ``<unk>``.
            vocab_size: Pieces of a subword vocabulary, ``<unk>`` among them, other reserved tokens not.
            reserved: Tokens that have ids whether or not the text holds them.

        Raises:
            UserError: A name is unknown, or a number out of range.
        """
        check_cleaning(cleaning)
        check_tokens(tokens)
        for name, value, least in (("min_freq", min_freq, 0), ("vocab_size", vocab_size, 1)):
            if value < least:
                raise UserError(f"{name} {value} must be a whole number of at least {least}")
        cleaned = clean_lines(lines(), _rule(cleaning, tokens))
        if tokens in SUBWORDS:
            trained = SUBWORDS[tokens].train(cleaned, vocab_size)
            begin = next(_pieces(clean_lines(lines(), _rule(cleaning, tokens))))
            seen = Counter(chain.from_iterable(trained.tokenize_lines(begin)))
            return cls(cleaning, trained, Vocab({piece: seen[piece] for piece in trained.pieces}, reserved=reserved))
        tokenizer = TOKENIZERS[tokens]()
        counts: Counter[str] = Counter()
        for line in cleaned:
            counts.update(line if tokens == "char" else tokenizer.tokenize(line))
        return cls(cleaning, tokenizer, Vocab(counts, min_freq, reserved))

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return len(self.vocab)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest of uint8, uint16 and uint32 that holds every id."""
        return np.min_scalar_type(self.vocab_size - 1)

    def clean(self, text: str) -> str:
        """A short text as this codec reads it.

        A space typed at either end of a prompt means something, so one is kept there even in ``classic`` character
        text, whose lines have none.
        """
        cleaned = "".join(clean_lines(StringIO(text, newline=None), self._rule))
        if self._rule != "classic":
            return cleaned
        before, after = text.startswith(" "), text.endswith(" ")
        return " " * before + cleaned + " " * (after and bool(cleaned or not before))

    def encode(self, text: str) -> list[int]:
        """The ids of a short text such as a prompt."""
        return self.vocab.ids(self.tokenizer.tokenize(self.clean(text)))

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """The text of ids.

        Raises:
            IndexError: An id is not of the vocabulary.
        """
        return self.tokenizer.join(self.vocab.tokens(ids))

    def unknown(self, text: str) -> list[str]:
        """The distinct tokens of a text that the vocabulary lacks, in the order of the text."""
        return [token for token in dict.fromkeys(self.tokenizer.tokenize(self.clean(text))) if token not in self.vocab]

    def encode_lines(self, lines: Iterable[str]) -> Iterator[NDArray[Any]]:
        """The ids of a long text, in pieces of at most about a million.

        Args:
            lines: Uncleaned lines.

        Returns:
            Arrays ``(tokens,)`` of ``dtype``; their lengths mean nothing.
        """
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
        return state if self.max_length is None else {**state, "max_length": self.max_length}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The codec that gave this state.

        Raises:
            UserError: It names an unknown cleaning or tokenizer.
        """
        parts = tokenizer_from_state(state["tokenizer"]), Vocab.from_state(state["vocab"])
        return cls(state["cleaning"], *parts, state.get("max_length"))

    @property
    def _rule(self) -> str:
        return _rule(self.cleaning, self.tokenizer.name)

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


AnyCodec = Codec | Labels | SeriesCodec
"""Whatever says what the numbers of a model stand for."""


def codec_of(state: Mapping[str, Any]) -> AnyCodec:
    """The codec, of text, of labels or of a series, that gave this state.

    Raises:
        UserError: It names something unknown.
    """
    if state.get("kind") == "series":
        return SeriesCodec.from_state(state)
    return Labels.from_state(state) if state.get("kind") == "labels" else Codec.from_state(state)


def _rule(cleaning: str, tokens: str) -> str:
    return "letters" if cleaning == "classic" and tokens != "char" else cleaning


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
