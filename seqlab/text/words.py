"""Word tokenizer for any script, by Unicode's word boundaries, and the way back to text."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar, NamedTuple

import regex

GLUE, SPACE = "\u2060", " "
"""Tokens for unusual spacing: no white space here, or this white space."""

CLOSING = frozenset([*".,;:!?%)]}”’»…°", "..."])
"""Marks that usually have no white space before them."""
OPENING = frozenset("([{“‘«¿¡$£#@")
"""Marks that usually have no white space after them."""
ENDING = frozenset([*".,!?…", "..."])
"""Marks after which a straight quote is a closing quote."""
DASHES = re.compile(r"--+|/")
SPACELESS = regex.compile(r"[\p{Ideographic}\p{WB=Katakana}\p{sc=Hiragana}\p{LB=SA}\u3000-\u303f\uff00-\uffef]")
"""Characters of scripts without spaces between words, and their punctuation marks."""

PLAIN, PLAIN_WORDS = re.compile(r"[A-Za-z0-9 \n]*"), re.compile(r"\n|[A-Za-z0-9]+")
CHUNKS = re.compile(r"\n|\S+")
LONGEST_KEPT = 64
"""Most characters of a run without white space in the cache of tokens."""


def word_pattern() -> "regex.Pattern[str]":
    """One word or mark of a text without white space (Unicode Standard Annex 29, rules WB3 to WB16), in linear time.

    Unlike in the standard, a hyphen joins words, and ``--`` and ``...`` are one mark each.
    """
    rest = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"  # WB4
    letter, hebrew = rf"\p{{WB=ALetter}}{rest}", rf"\p{{WB=Hebrew_Letter}}{rest}"
    any_letter = r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]"
    in_word = rf"[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}']{rest}"
    in_number = rf"[\p{{WB=MidNum}}\p{{WB=MidNumLet}}']{rest}"
    quoted = rf"""(?:"{rest}(?=\p{{WB=Hebrew_Letter}})|'{rest}(?!{any_letter}))?+"""  # WB7a to WB7c
    one_letter, digit = rf"(?:{letter}|{hebrew}{quoted})", rf"\p{{WB=Numeric}}{rest}"
    letters = rf"{one_letter}(?:{in_word}{one_letter}|{one_letter})*+"  # WB5 to WB7
    number = rf"{digit}(?:{in_number}{digit}|{digit})*+"  # WB8, WB11, WB12
    run = rf"(?:(?:{letters}|{number})++|(?:\p{{WB=Katakana}}{rest})++)"  # WB9, WB10, WB13
    line = rf"(?:\p{{WB=ExtendNumLet}}{rest})++"  # WB13a, WB13b
    word = rf"(?:{run}|{line}{run}?+)(?:{line}{run}?+)*+"
    flag = rf"\p{{Regional_Indicator}}{rest}(?:\p{{Regional_Indicator}}{rest})?+"  # WB15, WB16
    return regex.compile(rf"{word}(?:[-\u2010\u2011]{rest}{word})*+|--+|\.\.\.|{flag}|(?!{GLUE})\X{rest}")


WORD = word_pattern()


class Chunk(NamedTuple):
    """A run without white space: its tokens, and its usual spacing.

    Args:
        tokens: Tokens, with ``GLUE`` where white space would be usual.
        last: The last token.
        touches: Whether white space before it is unusual.
        tight: Whether white space after it is unusual.
        quotes: Whether it begins with a straight quote.
    """

    tokens: tuple[str, ...]
    last: str
    touches: bool
    tight: bool
    quotes: bool


class WordTokenizer:
    """A token is a word, a mark or a line end; in scripts without spaces a token is a character.

    ``join`` uses the usual spacing of marks. Unusual spacing becomes a token, ``GLUE`` or a white space, so that the
    text is restored, except for repeated white space and white space at the ends of lines.

    Args:
        apart: Marks that the cleaning of the text separates from the word before them.
    """

    name: ClassVar[str] = "word"
    keeps_text: ClassVar[bool] = True

    def __init__(self, apart: str = "") -> None:
        self.apart = apart

    def tokenize(self, text: str) -> list[str]:
        if PLAIN.fullmatch(text):
            return PLAIN_WORDS.findall(text)
        tokens: list[str] = []
        before: Chunk | None = None
        end = 0
        for match in CHUNKS.finditer(text):
            if match[0] == "\n":
                tokens.append("\n")
                before = None
                continue
            chunk = (_kept_chunk if len(match[0]) <= LONGEST_KEPT else _chunk)(match[0], self.apart)
            if not chunk.tokens:
                continue
            if before is not None and not _is_spaced(before, chunk):
                gap = text[end : match.start()]
                tokens.append(gap if len(gap) == 1 else SPACE)
            tokens += chunk.tokens
            before, end = chunk, match.end()
        return tokens

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        return map(self.tokenize, lines)

    def join(self, tokens: Sequence[str]) -> str:
        text: list[str] = []
        before: Chunk | None = None
        said = ""
        for token in tokens:
            if token == GLUE or (token.isspace() and token != "\n"):
                said = token
                continue
            starts = before is None or token == "\n"
            spaced = not starts and said != GLUE
            if before is not None and spaced and not said:
                spaced = _is_spaced(before, _one(token, before.last, True, self.apart))
            text += [said or SPACE, token] if spaced else [token]
            last = "" if before is None else before.last
            before = None if token == "\n" else _one(token, last, spaced, self.apart)
            said = ""
        return "".join(text)

    def state(self) -> dict[str, object]:
        state: dict[str, object] = {"name": self.name, "rules": 2}
        return {**state, "apart": self.apart} if self.apart else state


def _is_spaced(before: Chunk, after: Chunk) -> bool:
    """Whether white space between two runs of a line is usual."""
    return not (before.tight or after.touches or (after.quotes and before.last in ENDING))


@lru_cache(maxsize=2**16)
def _one(token: str, before: str, spaced: bool, apart: str) -> Chunk:
    """One token; the token before it (empty at the beginning of a line) decides whether a quote opens or closes."""
    dash = DASHES.fullmatch(token) is not None
    closes = token in CLOSING and token not in apart
    opens = token in OPENING or (token == '"' and (spaced or not before or before in OPENING))
    touches, tight = _is_spaceless(token[0]), _is_spaceless(token[-1])
    return Chunk((token,), token, dash or closes or touches, dash or opens or tight, token == '"')


def _chunk(text: str, apart: str) -> Chunk:
    tokens: list[str] = []
    first = before = None
    for token in WORD.findall(text):
        one = _one(token, "" if before is None else before.last, False, apart)
        if before is not None and _is_spaced(before, one):
            tokens.append(GLUE)
        tokens.append(token)
        first, before = first or one, one
    if first is None or before is None:
        return Chunk((), "", False, False, False)
    return Chunk(tuple(tokens), before.last, first.touches, before.tight, first.quotes)


_kept_chunk = lru_cache(maxsize=2**17)(_chunk)


@lru_cache(maxsize=2**16)
def _is_spaceless(character: str) -> bool:
    return SPACELESS.match(character) is not None
