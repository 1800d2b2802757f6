"""Files and texts -> their lines, by one rule wherever lines are read.

A line ends with ``\\n`` or ``\\r\\n``; a lone ``\\r`` ends one only where there is no ``\\n`` at all.
"""

from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import regex

from seqlab.errors import UserError, reason_of
from seqlab.files import DAMAGED, OPENERS, open_plain, read_plain

CHUNK = 2**20  # bytes

LONGEST_LINE = 4096
"""Characters; a longer line is read in pieces, so that a file of one line needs no more memory."""
SPACED = r"[[\p{WB=ALetter}\p{WB=Numeric}]--[\u3000-\u303f\uff00-\uffef]]"
"""Characters of words that spaces usually stand between; those of full width, for one, are not."""
BORDER = regex.compile(rf"(?V1)(?<={SPACED}) (?={SPACED})")
"""A space at which a line can be read in pieces without any token of either piece being another than in the line."""


class Unended(str):
    """The beginning of a line that the next string goes on with."""

    __slots__ = ()


def is_compressed(path: Path) -> bool:
    """Whether the name of a file says that it is compressed."""
    return path.suffix in OPENERS


def without_compression(path: Path) -> Path:
    """What a file would be called if it were not compressed."""
    return path.with_suffix("") if is_compressed(path) else path


def read_bytes(path: Path) -> bytes:
    """What a file holds, decompressed.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return read_plain(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason_of(error)}") from None


def with_line_ends(text: str) -> str:
    """A text with ``\\n`` as its line ends."""
    text = text.replace("\r\n", "\n")
    return text if "\n" in text else text.replace("\r", "\n")


def split_lines(text: str) -> list[str]:
    """The lines of a text without their ends; what follows the last end is a line if it is not empty."""
    lines = with_line_ends(text).split("\n")
    return lines if lines[-1] else lines[:-1]


def ended_lines(text: str) -> list[str]:
    """The lines of a text with ``\\n`` as their ends; the last one may have none."""
    *lines, last = with_line_ends(text).split("\n")
    return [*(f"{line}\n" for line in lines), *([last] if last else [])]


def read_lines(paths: Iterable[Path]) -> Iterator[str]:
    """The lines of UTF-8 files one after the other, plain or compressed, with ``\\n`` as their ends.

    An over-long line comes in pieces, all but the last of them ``Unended``.

    Raises:
        UserError: A file is missing, unreadable or not UTF-8.
    """
    for path in paths:
        number = 0
        try:
            with open_plain(path) as file:
                end = _line_end(file)
            with TextIOWrapper(open_plain(path), encoding="utf-8-sig", newline=end) as text:
                for line in _pieces(text, end):
                    number += line.endswith(end)
                    yield line if isinstance(line, Unended) else _ended(line, end)
        except UnicodeDecodeError as error:
            number += error.object[: error.start].count(end.encode()) + 1  # decoded ahead of the lines given so far
            raise UserError(
                f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} in line {number}); "
                "convert it, for example with iconv -t UTF-8"
            ) from None
        except (OSError, *DAMAGED) as error:
            reason = "is a folder" if path.is_dir() else reason_of(error)
            raise UserError(f"cannot read {path}: {reason}; name an existing text file with --data.path") from None


def _line_end(file: IO[bytes]) -> str:
    """What ends the lines of a file."""
    found = False
    while chunk := file.read(CHUNK):
        if b"\n" in chunk:
            return "\n"
        found = found or b"\r" in chunk
    return "\r" if found else "\n"


def _ended(line: str, end: str) -> str:
    if not line.endswith(end):
        return line
    return f"{line.removesuffix(end).removesuffix(chr(13))}\n"


def _pieces(file: Any, end: str) -> Iterator[str]:
    """The lines of a file with their ends as they are, over-long ones in pieces cut at ``BORDER``."""
    held: list[str] = []
    size = 0
    while more := file.readline(LONGEST_LINE):
        begin = max(LONGEST_LINE, size) - 1
        held.append(more)
        size += len(more)
        if begin < size - 1:
            text = "".join(held[-2:])
            begin -= size - len(text)
            while (border := BORDER.search(text, begin)) is not None:
                yield Unended("".join([*held[:-2], text[: border.start()]]))
                text, begin = text[border.start() :], LONGEST_LINE - 1
                held, size = [text], len(text)
        if more.endswith(end):
            yield "".join(held)
            held, size = [], 0
    if held:
        yield "".join(held)
