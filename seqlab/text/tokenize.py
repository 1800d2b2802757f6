"""Cleaned text <-> tokens."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

from tokenizers import Tokenizer as Library

from seqlab.errors import UserError, nearest
from seqlab.text.phrases import PhraseTokenizer
from seqlab.text.rules_1 import BPETokenizer1, UnigramTokenizer1, WordPieceTokenizer1, WordTokenizer1
from seqlab.text.subwords import BPETokenizer, SubwordTokenizer, UnigramTokenizer
from seqlab.text.treebank import TreebankTokenizer
from seqlab.text.wordpiece import WordPieceTokenizer
from seqlab.text.words import WordTokenizer


class Tokenizer(Protocol):
    """Splits text into tokens and joins them again.

    ``keeps_text`` says whether joining restores a text of known tokens, except for repeated white space and white space
    at the ends of lines.
    """

    @property
    def name(self) -> str:
        """Name of the tokenizer."""

    @property
    def keeps_text(self) -> bool:
        """Whether joining restores the text, see the class."""

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text."""

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        """The tokens of each line."""

    def join(self, tokens: Sequence[str]) -> str:
        """The text of tokens, for display."""

    def state(self) -> dict[str, object]:
        """Plain values that ``tokenizer_from_state`` rebuilds this tokenizer from."""


class Learned(Tokenizer, Protocol):
    """A tokenizer whose pieces were learned from a text."""

    pieces: list[str]

    @classmethod
    def train(cls, lines: Iterable[str], vocab_size: int) -> Self:
        """Learns the pieces."""


class CharTokenizer:
    """Each character is a token."""

    name: ClassVar[str] = "char"
    keeps_text: ClassVar[bool] = True

    def tokenize(self, text: str) -> list[str]:
        return list(text)

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        return map(list, lines)

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)

    def state(self) -> dict[str, object]:
        return {"name": self.name}


class SpaceTokenizer:
    """Tokens separated by white space, as in tokenized benchmarks; a line end is a token too.

    A literal ``<unk>`` is the ``<unk>`` of the vocabulary.
    """

    name: ClassVar[str] = "space"
    keeps_text: ClassVar[bool] = True
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"\n|\S+")

    def tokenize(self, text: str) -> list[str]:
        return self.pattern.findall(text)

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        return map(self.tokenize, lines)

    def join(self, tokens: Sequence[str]) -> str:
        text: list[str] = []
        for before, token in zip(("\n", *tokens), tokens, strict=False):
            text += [token] if "\n" in (before, token) else [" ", token]
        return "".join(text)

    def state(self) -> dict[str, object]:
        return {"name": self.name}


SUBWORDS: dict[str, type[Learned]] = {
    "bpe": BPETokenizer,
    "wordpiece": WordPieceTokenizer,
    "unigram": UnigramTokenizer,
}

TOKENIZERS: dict[str, type[Tokenizer]] = {
    "char": CharTokenizer,
    "word": WordTokenizer,
    "space": SpaceTokenizer,
    **SUBWORDS,
}

OF_WORDS: dict[str, type[Tokenizer]] = {
    "treebank": TreebankTokenizer,
    "space": SpaceTokenizer,
    "char": CharTokenizer,
}
"""Tokenizers of raw text for tasks that label each word or character."""

WORDS = (WordTokenizer.name, SpaceTokenizer.name, TreebankTokenizer.name, WordTokenizer1.name)
"""Tokenizers whose tokens are words."""

PHRASED = ("word", "space")
"""Kinds of tokens that can form phrases."""

OLD_SUBWORDS: dict[str, type[SubwordTokenizer]] = {
    kind.name: kind for kind in (BPETokenizer1, WordPieceTokenizer1, UnigramTokenizer1)
}
OLD: dict[str, type[Tokenizer]] = {WordTokenizer1.name: WordTokenizer1, **OLD_SUBWORDS}
"""Tokenizers with rules of version 1, by name with ``_1``."""


def check_tokens(tokens: str) -> None:
    """Checks the name of a kind of tokens.

    Raises:
        UserError: The name is neither in ``TOKENIZERS`` nor in ``OLD``.
    """
    if tokens not in TOKENIZERS and tokens not in OLD:
        raise UserError(f"unknown tokens '{tokens}'; {nearest(tokens, TOKENIZERS)}")


def untrained(tokens: str, apart: str) -> Tokenizer:
    """A tokenizer without training.

    Args:
        tokens: Name of the tokenizer.
        apart: Marks that the cleaning separates from words.
    """
    if tokens == WordTokenizer.name:
        return WordTokenizer(apart)
    return (TOKENIZERS | OLD)[tokens]()


def learning(tokens: str) -> type[Learned] | None:
    """The class of a trained tokenizer; None for a tokenizer without training."""
    return {**SUBWORDS, **OLD_SUBWORDS}.get(tokens)


def tokenizer_from_state(state: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that gave this state, with the rules of its version.

    Raises:
        UserError: The state names an unknown tokenizer.
    """
    if "phrases" in state:
        words = tokenizer_from_state({key: value for key, value in state.items() if key != "phrases"})
        return PhraseTokenizer(words, [frozenset((first, second) for first, second in one) for one in state["phrases"]])
    name = name_of_state(state)
    if name in OF_WORDS:
        return OF_WORDS[name]()
    check_tokens(name)
    if name == WordPieceTokenizer.name:
        return WordPieceTokenizer.from_state(state)
    kinds: dict[str, type[SubwordTokenizer]] = {"bpe": BPETokenizer, "unigram": UnigramTokenizer, **OLD_SUBWORDS}
    if name in kinds:
        return kinds[name](Library.from_str(state["library"]))
    return untrained(name, state.get("apart", ""))


def name_of_state(state: Mapping[str, Any]) -> str:
    """The name for ``--data.tokens`` of the tokenizer of a state."""
    name = str(state["name"])
    return f"{name}_1" if "rules" not in state and f"{name}_1" in OLD else name
