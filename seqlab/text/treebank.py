"""Word tokenizer in the style of English treebanks."""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

CLITICS = r"['’](?:s|m|d|re|ve|ll)\b"


class TreebankTokenizer:
    """Words and marks as in English Universal Dependencies treebanks: ``do n't``, ``it 's``, ``well - known``.

    Addresses, ``@names``, ``#tags``, abbreviations such as ``U.S.`` and numbers such as ``1,000.5`` are one word each.
    Every token is a substring of the text.
    """

    name: ClassVar[str] = "treebank"
    keeps_text: ClassVar[bool] = False
    pattern: ClassVar[re.Pattern[str]] = re.compile(
        rf"""
        (?:https?://|www\.)\S*[^\s.,;:!?)\]}}'"] | [\w.+-]+@\w[\w-]*(?:\.\w[\w-]*)+ | [@#]\w+
        | [:;=8][-o^]?[()DPp/\\|](?!\w) | (?:[^\W\d_]\.){{2,}}
        | \d+(?:[.,:]\d+)* | {CLITICS} | n['’]t\b | can(?=not\b)
        | [^\W\d_][\w\u0300-\u036f]*?(?=n['’]t\b) | \w[\w\u0300-\u036f]*
        | --+ | \.\.+ | [!?]+ | [^\w\s]
        """,
        re.VERBOSE | re.IGNORECASE,
    )

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text."""
        return self.pattern.findall(text)

    def tokenize_lines(self, lines: Sequence[str]) -> Iterator[list[str]]:
        """The tokens of each line."""
        return map(self.tokenize, lines)

    def join(self, tokens: Sequence[str]) -> str:
        """Tokens separated by spaces."""
        return " ".join(tokens)

    def state(self) -> dict[str, object]:
        """Plain values that stand for this tokenizer."""
        return {"name": self.name}


def offsets_of(tokens: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Begin and end of each token in its text, in order, in characters from 0."""
    found, place = [], 0
    for token in tokens:
        place = text.index(token, place)
        found.append((place, place + len(token)))
        place += len(token)
    return found
