"""Cleaned text <-> tokens."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers, trainers

from seqlab.errors import UserError, nearest
from seqlab.text.treebank import SpaceTokenizer, TreebankTokenizer
from seqlab.text.unigram import fit_unigram
from seqlab.text.vocab import UNK

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the library's threads do not survive the fork of a worker

SPACE = "▁"


class Tokenizer(Protocol):
    """Cuts text into tokens and puts them together again."""

    name: ClassVar[str]

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text."""

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        """The tokens of each line."""

    def join(self, tokens: Sequence[str]) -> str:
        """The text that tokens stand for, for display."""

    def state(self) -> dict[str, object]:
        """Plain values that ``tokenizer_from_state`` rebuilds this tokenizer from."""


class CharTokenizer:
    """One token a character."""

    name: ClassVar[str] = "char"

    def tokenize(self, text: str) -> list[str]:
        return list(text)

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        return map(list, lines)

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)

    def state(self) -> dict[str, object]:
        return {"name": self.name}


class WordTokenizer:
    """One token a word, a punctuation mark or a line end.

    Apostrophes and hyphens within a word stay in it; ``--`` and ``...`` are one mark. Text of letters and spaces alone
    is cut as ``str.split`` cuts it. ``join`` writes text as it is usually written, not with the spaces that it had.
    """

    name: ClassVar[str] = "word"
    pattern: ClassVar[re.Pattern[str]] = re.compile(
        r"""\n | \w[\w\u0300-\u036f]* (?:['’-]\w[\w\u0300-\u036f]*)* | --+ | \.\.\. | [^\w\s]""", re.VERBOSE
    )
    closing: ClassVar[frozenset[str]] = frozenset([*".,;:!?%)]}”’»…", "..."])
    opening: ClassVar[frozenset[str]] = frozenset("([{“‘«¿¡")

    def tokenize(self, text: str) -> list[str]:
        return self.pattern.findall(text)

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        return map(self.tokenize, lines)

    def join(self, tokens: Sequence[str]) -> str:
        text: list[str] = []
        tight, quoted = True, False
        for token in tokens:
            ends_quote = token == '"' and quoted
            if not (tight or token == "\n" or token in self.closing or ends_quote):
                text.append(" ")
            text.append(token)
            quoted = quoted != (token == '"')
            tight = token == "\n" or token in self.opening or (token == '"' and not ends_quote)
        return "".join(text)

    def state(self) -> dict[str, object]:
        return {"name": self.name}


class SubwordTokenizer:
    """Pieces of words, learned from a text through the ``tokenizers`` library.

    Args:
        library: A trained tokenizer of the library, with ``<unk>`` as its token 0.

    Attributes:
        pieces: All pieces, in the order of the library's ids.
    """

    name: ClassVar[str]

    def __init__(self, library: Library) -> None:
        self.library = library
        self.pieces = _in_id_order(library)

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        """Learns the pieces; equal lines give equal pieces.

        Args:
            lines: Cleaned lines of the training text.
            vocab_size: Pieces wanted, ``<unk>`` among them; a small text gives fewer, and every single character
                (every byte in ``bpe``) is a piece even where that makes them more.
        """
        raise NotImplementedError

    def tokenize(self, text: str) -> list[str]:
        """The pieces of a text; what has no piece appears as it is written."""
        encoding = self.library.encode(text)
        pieces = zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True)
        return [piece if index else text[slice(*offsets)] for index, piece, offsets in pieces]

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        encodings = self.library.encode_batch_fast(list(lines))
        return ([self.pieces[index] for index in encoding.ids] for encoding in encodings)

    def join(self, tokens: Sequence[str]) -> str:
        return str(self.library.decoder.decode(list(tokens)))

    def state(self) -> dict[str, object]:
        return {"name": self.name, "library": self.library.to_str()}


class BPETokenizer(SubwordTokenizer):
    """Byte-level byte pair encoding (Sennrich et al., 2016, P16-1162; Radford et al., 2019). Loses nothing."""

    name: ClassVar[str] = "bpe"

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        _train_bpe(library, lines, vocab_size, special_tokens=[UNK], alphabet=pre_tokenizers.ByteLevel.alphabet())
        return cls(library)


class WordPieceTokenizer(SubwordTokenizer):
    """WordPiece: the longest known piece first, later pieces of a word marked ``##`` (Devlin et al., 2019, N19-1423).

    White space is not kept. The library's own trainer numbers its pieces by the order of a randomly seeded hash table,
    so that two processes would disagree. Here its byte pair trainer, which has no such habit, learns pieces of words
    that begin with a mark, and the mark tells first pieces from later ones.
    """

    name: ClassVar[str] = "wordpiece"

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        cut = pre_tokenizers.BertPreTokenizer()
        marked = Library(models.BPE())
        marked.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.Metaspace(prepend_scheme="always")])
        pieces = _train_bpe(marked, lines, vocab_size)
        alphabet = [piece for piece in pieces if len(piece) == 1 and piece != SPACE]
        renamed = [piece[1:] if piece.startswith(SPACE) else f"##{piece}" for piece in pieces if piece != SPACE]
        least = dict.fromkeys([UNK, *alphabet, *(f"##{character}" for character in alphabet)])
        vocabulary = list(dict.fromkeys([*least, *renamed]))[: max(vocab_size, len(least))]
        numbers = {piece: index for index, piece in enumerate(vocabulary)}
        library = Library(models.WordPiece(numbers, unk_token=UNK))
        library.pre_tokenizer = cut
        library.decoder = decoders.WordPiece(prefix="##")
        return cls(library)


class UnigramTokenizer(SubwordTokenizer):
    """Unigram language model over pieces (Kudo, 2018, P18-1007); spaces are ``▁``, a line end is a piece of its own.

    Loses nothing but characters that the training text lacks. The library's own trainer sums in the order of a
    randomly seeded hash table, so that two processes would disagree; ``fit_unigram`` counts in whole numbers instead.
    """

    name: ClassVar[str] = "unigram"
    words: ClassVar[re.Pattern[str]] = re.compile(r"\n| [^ \n]*|[^ \n]+")

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Metaspace(prepend_scheme="never")]
        )
        library.decoder = decoders.Metaspace(prepend_scheme="never")
        counts: dict[str, int] = {}

        def counted() -> Iterator[str]:
            for line in lines:
                for word in cls.words.findall(line):
                    counts[word] = counts.get(word, 0) + 1
                yield line

        candidates = _train_bpe(library, counted(), vocab_size * 3 // 2)
        fit_unigram(library, candidates, counts, vocab_size)
        return cls(library)


def _train_bpe(
    library: Library,
    lines: Iterable[str],
    vocab_size: int,
    special_tokens: Sequence[str] = (),
    alphabet: Sequence[str] = (),
) -> list[str]:
    """Trains a library tokenizer whose model is BPE, and gives its pieces in the order of their ids."""
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special_tokens),
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    library.train_from_iterator(iter(lines), trainer)
    return _in_id_order(library)


def _in_id_order(library: Library) -> list[str]:
    ids = library.get_vocab()
    return sorted(ids, key=ids.__getitem__)


SUBWORDS: dict[str, type[SubwordTokenizer]] = {
    "bpe": BPETokenizer,
    "wordpiece": WordPieceTokenizer,
    "unigram": UnigramTokenizer,
}

OF_WORDS: dict[str, type[Tokenizer]] = {"word": WordTokenizer, "treebank": TreebankTokenizer, "space": SpaceTokenizer}
TOKENIZERS: dict[str, type[Tokenizer]] = {"char": CharTokenizer, **OF_WORDS, **SUBWORDS}


def check_tokens(tokens: str) -> None:
    """Checks the name of a kind of tokens.

    Raises:
        UserError: It is none of ``TOKENIZERS``.
    """
    if tokens not in TOKENIZERS:
        raise UserError(f"unknown tokens '{tokens}'; {nearest(tokens, TOKENIZERS)}")


def tokenizer_from_state(state: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that gave this state.

    Raises:
        UserError: It names an unknown tokenizer.
    """
    name = state["name"]
    check_tokens(name)
    if name in SUBWORDS:
        return SUBWORDS[name](Library.from_str(state["library"]))
    return TOKENIZERS[name]()
