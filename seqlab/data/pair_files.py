"""Files of sentence pairs -> pairs, and the part that each belongs to."""

import hashlib
import zipfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from seqlab.data.text_files import Split
from seqlab.errors import UserError, reason_of
from seqlab.files import open_regular, read_plain_or_gz

Pair = tuple[str, str]
LARGEST = 2**30
"""Bytes that a member of an archive may unpack to."""


def read_bytes(path: Path) -> bytes:
    """What a file holds, unzipped if its name ends in .gz.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return read_plain_or_gz(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason_of(error)}") from None


def read_columns(path: Path) -> list[Pair]:
    """Pairs of a file whose lines are ``source TAB target``, plain or gzipped.

    Raises:
        UserError: The file cannot be read, or a line is no pair.
    """
    return list(_columns(_text(path), str(path)))


def read_two(source: Path, target: Path) -> list[Pair]:
    """Pairs of two files, line by line.

    Raises:
        UserError: A file cannot be read, they have unequal numbers of lines, or a line is empty.
    """
    sides = [list(StringIO(_text(path), newline=None)) for path in (source, target)]
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{source} has {len(sides[0]):,} lines and {target} {len(sides[1]):,}; give one target for every source"
        )
    for number, pair in enumerate(zip(*sides, strict=True), 1):
        for path, sentence in zip((source, target), pair, strict=True):
            if not sentence.strip():
                raise UserError(f"{path}, line {number} is empty; give a sentence on every line of both files")
    return _some([(left.strip(), right.strip()) for left, right in zip(*sides, strict=True)], str(source))


def read_zip(path: Path, member: str) -> list[Pair]:
    """Pairs of a member of a zip archive.

    Raises:
        UserError: The archive is damaged or lacks the member.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            if archive.getinfo(member).file_size > LARGEST:
                raise UserError(f"{path}: {member} unpacks to more than {LARGEST:,} bytes; it was not read")
            data = archive.read(member)
    except (KeyError, zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path} is not an archive that holds {member} ({reason_of(error)}); get it again") from None
    return list(_columns(_decoded(data, f"{path}, {member}"), f"{path}, {member}"))


def split_of(cleaned: str, val_fraction: float, test_fraction: float) -> Split:
    """The part that a source belongs to: a function of the cleaned source alone, whatever its capitals."""
    plain = cleaned.strip().lower()
    share = int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest()) / 2**64
    if share < test_fraction:
        return "test"
    return "val" if share < test_fraction + val_fraction else "train"


def _columns(text: str, name: str) -> Iterator[Pair]:
    pairs = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        columns = [column.strip() for column in line.rstrip("\r").split("\t")]
        if len(columns) < 2:
            raise UserError(f"{name}, line {number} has no tab between a source and a target")
        if not columns[0] or not columns[1]:
            raise UserError(f"{name}, line {number} has an empty {'target' if columns[0] else 'source'}")
        pairs.append((columns[0], columns[1]))
    yield from _some(pairs, name)


def _some(pairs: list[Pair], name: str) -> list[Pair]:
    if not pairs:
        raise UserError(f"{name} holds no pair of sentences")
    return pairs


def _text(path: Path) -> str:
    return _decoded(read_bytes(path), str(path))


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}, line {line} is not UTF-8 text; convert the file first") from None
