"""Raw input of a verb, from its words, a file or stdin, and its output lines."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from seqlab.errors import UserError, reason_of
from seqlab.files import read_stream_or_regular, whole_file
from seqlab.text.line_reader import split_lines

FoundT = TypeVar("FoundT")


def lines_of(path: str | None, what: str) -> list[str]:
    """The lines of a UTF-8 file, plain or compressed, or of a stream of at most 256 MiB.

    Args:
        path: Path of the file, or of a pipe; stdin for ``-`` and if not given.
        what: Noun for the expected content in messages: "sentence to translate".

    Raises:
        UserError: The file cannot be read, is not UTF-8, or is empty.
    """
    try:
        lines = split_lines(read_stream_or_regular(path).decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path or 'stdin'}: {reason_of(error)}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path or 'stdin'} is not UTF-8 text (byte {error.start}); convert it first") from None
    if not any(line.strip() for line in lines):
        raise UserError(f"{path or 'stdin'} holds no {what}")
    return lines


def given_lines(words: Sequence[str], path: str | None, what: str) -> Sequence[str]:
    """The words of a command line, or the lines of a file or of stdin.

    Raises:
        UserError: Both words and a file are given, or there is no input.
    """
    if words and path is not None:
        raise UserError(f"give either {what}s as words or --input {path}, not both")
    return words or lines_of(path, what)


def beside_blanks(lines: Iterable[str], found: Iterable[FoundT], blank: FoundT) -> Iterator[FoundT]:
    """The result of each line, in order; ``blank`` for a blank line."""
    left = iter(found)
    return (next(left) if line.strip() else blank for line in lines)


def write_lines(path: str | None, lines: Iterable[str]) -> None:
    """Writes lines to a file, completely or not at all, or to stdout one by one.

    Raises:
        UserError: The file cannot be written.
    """
    if path is None:
        for line in lines:
            print(line, flush=True)
        return
    try:
        with whole_file(Path(path)) as file:
            for line in lines:
                file.write(f"{line}\n".encode())
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason_of(error)}") from None


def say_incomplete(incomplete: int, of: int, way_out: str = "--help lists what bounds them") -> None:
    """Prints on stderr how many of several answers were cut, if any."""
    if incomplete:
        print(f"seqlab: {incomplete:,} of {of:,} answers were cut before their end; {way_out}", file=sys.stderr)
