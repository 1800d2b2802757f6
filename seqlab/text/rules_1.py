"""Tokenizer rules of version 1, for old checkpoints and their results."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers

from seqlab.text.subwords import MARK, SubwordTokenizer, train_bpe, train_unigram
from seqlab.text.vocab import UNK


class WordTokenizer1:
    """A token is a word, a punctuation mark or a line end.

    Apostrophes and hyphens within a word belong to it; ``--`` and ``...`` are one mark each. ``join`` uses normal
    spelling instead of the original spaces.
    """

    name: ClassVar[str] = "word_1"
    keeps_text: ClassVar[bool] = False
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
        return {"name": "word"}


class SubwordTokenizer1(SubwordTokenizer):
    """Subwords that do not distinguish ``<unk>`` and ``▁`` in a text from special tokens."""

    def state(self) -> dict[str, object]:
        return {"name": self.name.removesuffix("_1"), "library": self.library.to_str()}


class BPETokenizer1(SubwordTokenizer1):
    """Byte-level byte pair encoding (Sennrich et al., 2016, P16-1162; Radford et al., 2019)."""

    name: ClassVar[str] = "bpe_1"

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        train_bpe(library, lines, vocab_size, special_tokens=[UNK], alphabet=pre_tokenizers.ByteLevel.alphabet())
        return cls(library)


class WordPieceTokenizer1(SubwordTokenizer1):
    """WordPiece: the longest known piece first, later pieces of a word marked ``##`` (Devlin et al., 2019, N19-1423).

    White space is not kept, and a word that holds an unknown character or more than 100 is ``<unk>``.
    """

    name: ClassVar[str] = "wordpiece_1"
    keeps_text: ClassVar[bool] = False

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        cut = pre_tokenizers.BertPreTokenizer()
        marked = Library(models.BPE())
        marked.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.Metaspace(prepend_scheme="always")])
        pieces = train_bpe(marked, lines, vocab_size)
        alphabet = [piece for piece in pieces if len(piece) == 1 and piece != MARK]
        renamed = [piece[1:] if piece.startswith(MARK) else f"##{piece}" for piece in pieces if piece != MARK]
        least = dict.fromkeys([UNK, *alphabet, *(f"##{character}" for character in alphabet)])
        vocabulary = list(dict.fromkeys([*least, *renamed]))[: max(vocab_size, len(least))]
        numbers = {piece: index for index, piece in enumerate(vocabulary)}
        library = Library(models.WordPiece(numbers, unk_token=UNK))
        library.pre_tokenizer = cut
        library.decoder = decoders.WordPiece(prefix="##")
        return cls(library)


class UnigramTokenizer1(SubwordTokenizer1):
    """Unigram language model over pieces (Kudo, 2018, P18-1007); spaces are ``▁``, a line end is a piece of its own."""

    name: ClassVar[str] = "unigram_1"
    words: ClassVar[re.Pattern[str]] = re.compile(r"\n| [^ \n]*|[^ \n]+")

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Metaspace(prepend_scheme="never")]
        )
        library.decoder = decoders.Metaspace(prepend_scheme="never")
        train_unigram(library, lines, cls.words, vocab_size)
        return cls(library)
