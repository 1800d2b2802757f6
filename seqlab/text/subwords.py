"""Subwords, learned from a text with the ``tokenizers`` library."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import ClassVar, Self

from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Library

from seqlab.text.unigram import fit_unigram
from seqlab.text.vocab import UNK

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the library's threads do not survive the fork of a worker

MARK = "▁"
"""Mark of a space in pieces."""
MARKED = str.maketrans({" ": MARK, MARK: " "})
"""Exchanges spaces and marks in both directions, so that a mark in a text survives."""
APART = pre_tokenizers.Split(Regex(r"<(?=(?:unk|pad|bos|eos|sep)>)"), "isolated")
"""Escapes text that looks like a reserved token."""

LONGEST_LEARNED, LONGEST_READ = 1000, 2**16
"""Most characters of a word; training time grows with its square, and memory by several hundred bytes for each."""

LONGEST_PIECE = 100
"""Most characters of a piece in a unigram model."""


def in_parts(text: str, longest: int, space: str = " ") -> list[str]:
    """A text, cut within runs of more than so many characters without a space, or of more than so many spaces."""
    if len(text) <= longest or re.search(rf"[^{space}]{{{longest + 1}}}|{space}{{{longest + 1}}}", text) is None:
        return [text]
    return re.findall(rf"{space}?[^{space}]{{1,{longest}}}|{space}{{1,{longest}}}", text)


class SubwordTokenizer:
    """Subword tokenizer, learned from a text.

    Args:
        library: A trained tokenizer of the library, with ``<unk>`` as its token 0.

    Attributes:
        pieces: All pieces, in the order of the library's ids.
    """

    name: ClassVar[str]
    keeps_text: ClassVar[bool] = True
    space: ClassVar[str] = " "

    def __init__(self, library: Library) -> None:
        self.library = library
        self.pieces = in_id_order(library)

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        """Learns the pieces; equal lines give equal pieces.

        Args:
            lines: Cleaned lines of the training text.
            vocab_size: Number of pieces, including ``<unk>``; a small text gives fewer. Every single character (every
                byte in ``bpe``) is always a piece, which may give more.
        """
        raise NotImplementedError

    def tokenize(self, text: str) -> list[str]:
        """The pieces of a text; unknown text appears unchanged."""
        return [piece for part in in_parts(text, LONGEST_READ, self.space) for piece in self._tokenized(part)]

    def _tokenized(self, text: str) -> list[str]:
        encoding = self.library.encode(text)
        pieces = zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True)
        return [piece if index else text[slice(*offsets)] for index, piece, offsets in pieces]

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        parts = [in_parts(line, LONGEST_READ, self.space) for line in lines]
        encodings = iter(self.library.encode_batch_fast([*chain.from_iterable(parts)]))
        for each in parts:
            yield [self.pieces[index] for encoding in islice(encodings, len(each)) for index in encoding.ids]

    def join(self, tokens: Sequence[str]) -> str:
        return str(self.library.decoder.decode(list(tokens)))

    def state(self) -> dict[str, object]:
        return {"name": self.name, "rules": 2, "library": self.library.to_str()}


class BPETokenizer(SubwordTokenizer):
    """Byte-level byte pair encoding (Sennrich et al., 2016, P16-1162; Radford et al., 2019). Loses nothing."""

    name: ClassVar[str] = "bpe"

    def __init__(self, library: Library) -> None:
        super().__init__(library)
        library.encode_special_tokens = True

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.Sequence([APART, pre_tokenizers.ByteLevel(add_prefix_space=False)])
        library.decoder = decoders.ByteLevel()
        train_bpe(library, lines, vocab_size, special_tokens=[UNK], alphabet=pre_tokenizers.ByteLevel.alphabet())
        return cls(library)


class UnigramTokenizer(SubwordTokenizer):
    """Unigram language model over pieces (Kudo, 2018, P18-1007); spaces are ``▁``, a line end is a piece of its own.

    It only loses characters that the training text lacks. The library's own trainer sums in the order of a randomly
    seeded hash table, so that two processes would disagree; ``fit_unigram`` counts in whole numbers instead.
    """

    name: ClassVar[str] = "unigram"
    space: ClassVar[str] = MARK
    words: ClassVar[re.Pattern[str]] = re.compile(rf"\n|{MARK}[^{MARK}\n]*|[^{MARK}\n]+")

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        library = Library(models.BPE())
        cut = pre_tokenizers.Split(Regex(cls.words.pattern), "isolated")
        library.pre_tokenizer = pre_tokenizers.Sequence([APART, cut])
        train_unigram(library, (line.translate(MARKED) for line in lines), cls.words, vocab_size)
        return cls(library)

    def tokenize(self, text: str) -> list[str]:
        return super().tokenize(text.translate(MARKED))

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        return super().tokenize_lines([line.translate(MARKED) for line in lines])

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens).translate(MARKED)


def train_bpe(
    library: Library,
    lines: Iterable[str],
    vocab_size: int,
    special_tokens: Sequence[str] = (),
    alphabet: Sequence[str] = (),
) -> list[str]:
    """Trains a library tokenizer with a BPE model, and returns its pieces in the order of their ids."""
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special_tokens),
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    library.train_from_iterator(iter(lines), trainer)
    return in_id_order(library)


def train_unigram(library: Library, lines: Iterable[str], words: re.Pattern[str], vocab_size: int) -> None:
    """Gives a library tokenizer the unigram model of a text; a pattern finds its words."""
    counts: dict[str, int] = {}

    def counted() -> Iterator[str]:
        for line in lines:
            for word in words.findall(line):
                counts[word] = counts.get(word, 0) + 1
            yield line

    candidates = [piece for piece in train_bpe(library, counted(), vocab_size * 3 // 2) if len(piece) <= LONGEST_PIECE]
    fit_unigram(library, candidates, counts, vocab_size)


def in_id_order(library: Library) -> list[str]:
    """All pieces of a library tokenizer, in the order of their ids."""
    ids = library.get_vocab()
    return sorted(ids, key=ids.__getitem__)
