"""Test files for word vectors: analogies and human similarity judgements."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seqlab.errors import UserError, reason_of
from seqlab.files import DAMAGED, open_plain


class Question(NamedTuple):
    """a is to b as c is to d."""

    section: str
    a: str
    b: str
    c: str
    d: str


class Judged(NamedTuple):
    """Two words and their similarity as judged by people."""

    first: str
    second: str
    score: float


def read_analogies(path: Path) -> list[Question]:
    """The questions of a file such as ``questions-words.txt``: four words per line, ``: name`` before each section.

    Raises:
        UserError: The file cannot be read, or a line is no question.
    """
    found, section = [], "all"
    for number, line in _lines(path):
        if line.startswith(":"):
            section = line[1:].strip() or section
            continue
        words = line.split()
        if len(words) != 4:
            raise UserError(f"{path}, line {number} has {len(words)} words; a question has four, such as 'a b c d'")
        found.append(Question(section, *words))
    if not found:
        raise UserError(f"{path} holds no questions; give four words a line")
    return found


def read_similarity(path: Path) -> list[Judged]:
    """The pairs of a file such as WordSim-353: two words and a score per line, separated by tabs, commas or spaces; the
    first line may have names.

    Raises:
        UserError: The file cannot be read, or a line is no pair.
    """
    found = []
    for number, line in _lines(path):
        if line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("\t" if "\t" in line else "," if "," in line else None)]
        score = _number(parts[2]) if len(parts) >= 3 else None
        if score is None and number == 1:
            continue
        if score is None:
            raise UserError(f"{path}, line {number} is no pair; a line has two words and a score")
        found.append(Judged(parts[0], parts[1], score))
    if len(found) < 2:
        raise UserError(f"{path} holds fewer than two pairs; give two words and a score a line")
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, numbered from 1."""
    try:
        with open_plain(path) as file:
            text = file.read().decode("utf-8-sig")
    except (OSError, *DAMAGED) as error:
        raise UserError(f"cannot read {path}: {reason_of(error)}; name a UTF-8 file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); convert it first") from None
    return ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip())
