"""Lines of a file -> cleaned text, in constant memory."""

import re
from collections.abc import Callable, Iterable, Iterator

from seqlab.errors import UserError, nearest
from seqlab.text.line_reader import Unended

NON_LETTERS = re.compile("[^a-z]+")
SPACED_MARKS = ",.!?"
"""Punctuation marks that ``spaced`` separates from the word before them."""
BEFORE_MARK = re.compile(rf"(?<=\S)([{SPACED_MARKS}])")
SET_APART = re.compile(rf"\s+([{SPACED_MARKS}])")


def classic(line: str) -> str:
    """Lowercase, every run of characters other than a-z as one space, stripped (Dive into Deep Learning, 9.2).

    Lines are joined without a separator, exactly as in the book: in character text the last word of a line and the
    first word of the next line run together.
    """
    return letters(line).strip(" ")


def letters(line: str) -> str:
    """Lowercase, every run of characters other than a-z as one space; a line end is such a character too."""
    return NON_LETTERS.sub(" ", line.lower())


def raw(line: str) -> str:
    """The line unchanged, with ``\\n`` as its end."""
    ended = line.endswith(("\r", "\n"))
    return line.removesuffix("\n").removesuffix("\r") + "\n" * ended


def lower(line: str) -> str:
    """The line in lower case, with ``\\n`` as its end."""
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
        UserError: The name is not in ``CLEANERS``.
    """
    if cleaning not in CLEANERS:
        raise UserError(f"unknown cleaning '{cleaning}'; {nearest(cleaning, CLEANERS)}")


def clean_lines(lines: Iterable[str], cleaning: str) -> Iterator[str]:
    """Cleans a text line by line; the joined results are the cleaned text.

    No result ends within a word, and the cuts between pieces of lines change nothing. In ``letters`` the space between
    two lines comes before the later line, so that the joined results equal ``letters`` of the whole text.

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
    """``spaced`` text in normal spelling: no white space before ``,.!?``."""
    return SET_APART.sub(r"\1", text)


def restored(text: str, cleaning: str) -> str:
    """Cleaned text in normal spelling."""
    return detokenize(text) if cleaning == "spaced" else text


def marks_apart(cleaning: str) -> str:
    """The marks that a cleaning separates from the word before them."""
    return SPACED_MARKS if cleaning == "spaced" else ""


def _stripped(lines: Iterable[str]) -> Iterator[str]:
    """``classic`` of each line, also of a line in pieces."""
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
