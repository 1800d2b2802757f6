"""Lines of a file -> cleaned text, in memory that does not grow with the file."""

import re
from collections.abc import Callable, Iterable, Iterator

from seqlab.errors import UserError, nearest
from seqlab.text.line_reader import Unended

NON_LETTERS = re.compile("[^a-z]+")
SPACED_MARKS = ",.!?"
"""Marks that ``spaced`` sets apart from the word before them."""
BEFORE_MARK = re.compile(rf"(?<=\S)([{SPACED_MARKS}])")
SET_APART = re.compile(rf"\s+([{SPACED_MARKS}])")


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
    ended = line.endswith(("\r", "\n"))
    return line.removesuffix("\n").removesuffix("\r") + "\n" * ended


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

    No result ends within a word, and how lines are cut in pieces changes nothing. In ``letters`` the space between two
    lines leads the later one, so that the chain equals ``letters`` of the whole text.

    Args:
        lines: Lines of the text, with or without their ends, or pieces of them.
        cleaning: A name of ``CLEANERS``.

    Raises:
        UserError: The cleaning is unknown.
    """
    check_cleaning(cleaning)
    if cleaning == "letters":
        return _joined(lines)
    return _stripped(lines) if cleaning == "classic" else map(CLEANERS[cleaning], lines)


def detokenize(text: str) -> str:
    """``spaced`` text as it is written: no white space before ``,.!?``."""
    return SET_APART.sub(r"\1", text)


def restored(text: str, cleaning: str) -> str:
    """Cleaned text as it is written."""
    return detokenize(text) if cleaning == "spaced" else text


def marks_apart(cleaning: str) -> str:
    """The marks that a cleaning sets apart from the word before them."""
    return SPACED_MARKS if cleaning == "spaced" else ""


def _stripped(lines: Iterable[str]) -> Iterator[str]:
    """``classic`` of each line, also where it comes in pieces."""
    begun, gap = False, ""
    for line in lines:
        text = letters(line)
        words = text.strip(" ")
        gap = " " if begun and (gap or text.startswith(" ")) else ""
        yield gap + words if words else ""
        begun = begun or bool(words)
        gap = " " if text.endswith(" ") else ("" if words else gap)
        if not isinstance(line, Unended):
            begun, gap = False, ""


def _joined(lines: Iterable[str]) -> Iterator[str]:
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
