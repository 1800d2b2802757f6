"""Lines of a file -> cleaned text, in memory that does not grow with the file."""

import re
from collections.abc import Callable, Iterable, Iterator

from seqlab.errors import UserError, nearest

NON_LETTERS = re.compile("[^a-z]+")
BEFORE_MARK = re.compile(r"(?<=\S)([,.!?])")


def classic(line: str) -> str:
    """Lowercase, every run of characters other than a-z as one space, stripped (Dive into Deep Learning, 9.2).

    Lines are chained with nothing between them, exactly as in the book: in character text the last word of a line
    and the first of the next run together.
    """
    return letters(line).strip(" ")


def letters(line: str) -> str:
    """Lowercase, every run of characters other than a-z as one space; a line end is such a character too."""
    return NON_LETTERS.sub(" ", line.lower())


def raw(line: str) -> str:
    """The line as it is, its end as ``\\n``."""
    return line.replace("\r\n", "\n").replace("\r", "\n")


def lower(line: str) -> str:
    """The line as it is in small letters, its end as ``\\n``."""
    return raw(line).lower()


def spaced(line: str) -> str:
    """Lowercase, non-breaking spaces as spaces, a space before each of ``,.!?`` (Dive into Deep Learning, 10.5)."""
    plain = raw(line).replace("\u202f", " ").replace("\xa0", " ").lower()
    return BEFORE_MARK.sub(r" \1", plain)


CLEANERS: dict[str, Callable[[str], str]] = {
    "classic": classic,
    "letters": letters,
    "spaced": spaced,
    "lower": lower,
    "raw": raw,
}
"""Each maps one line, with or without its end, to cleaned text."""


def check_cleaning(cleaning: str) -> None:
    """Checks the name of a cleaning.

    Raises:
        UserError: It is none of ``CLEANERS``.
    """
    if cleaning not in CLEANERS:
        raise UserError(f"unknown cleaning '{cleaning}'; {nearest(cleaning, CLEANERS)}")


def clean_lines(lines: Iterable[str], cleaning: str) -> Iterator[str]:
    """Cleans a text line by line; chained, the results are the cleaned text.

    No result ends within a word. In ``letters`` the space between two lines leads the later one, so that the chain
    equals ``letters`` of the whole text although it is cleaned in pieces.

    Args:
        lines: Lines of the text, with or without their ends.
        cleaning: A name of ``CLEANERS``.

    Raises:
        UserError: The cleaning is unknown.
    """
    check_cleaning(cleaning)
    return _spaced(lines) if cleaning == "letters" else map(CLEANERS[cleaning], lines)


def _spaced(lines: Iterable[str]) -> Iterator[str]:
    gap = end = ""
    for line in lines:
        text = letters(line)
        if text.startswith(" "):
            gap = " "
        if words := text.strip(" "):
            yield gap + words
            gap = " "
        if text:
            end = " " if text.endswith(" ") else ""
    if end:
        yield end
