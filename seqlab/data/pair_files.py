"""Files of sentence pairs -> pairs, and the part of each pair."""

import hashlib
import zipfile
from pathlib import Path

from seqlab.data.parts import Split
from seqlab.errors import UserError, reason_of
from seqlab.files import open_regular
from seqlab.text.line_reader import read_bytes, split_lines

Pair = tuple[str, str]
LARGEST = 2**30
"""Largest size of an unpacked archive member, in bytes."""


def read_columns(path: Path) -> list[Pair]:
    """Pairs of a file whose lines are ``source TAB target``, plain or compressed; a side may be blank.

    Raises:
        UserError: The file cannot be read, or a line is no pair.
    """
    return _columns(_text(path), str(path))


def read_two(source: Path, target: Path) -> list[Pair]:
    """Pairs of two files, line by line; a side may be blank.

    Raises:
        UserError: A file cannot be read, or they have unequal numbers of lines.
    """
    sides = [split_lines(_text(path)) for path in (source, target)]
    counts = [len(side) for side in sides]
    if counts[0] != counts[1]:
        longer, shorter = (source, target) if counts[0] > counts[1] else (target, source)
        raise UserError(
            f"line {min(counts) + 1:,} of {longer} has none in {shorter}: {source} has {counts[0]:,} lines and "
            f"{target} {counts[1]:,}; give one target for every source"
        )
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
    return _columns(_decoded(data, f"{path}, {member}"), f"{path}, {member}")


def split_of(cleaned: str, val_fraction: float, test_fraction: float) -> Split:
    """The part of a source: a function of the cleaned source in lower case, and of nothing else."""
    plain = cleaned.strip().lower()
    share = int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest()) / 2**64
    if share < test_fraction:
        return "test"
    return "val" if share < test_fraction + val_fraction else "train"


def _columns(text: str, name: str) -> list[Pair]:
    pairs = []
    for number, line in enumerate(split_lines(text), 1):
        if not line.strip():
            continue
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) < 2:
            raise UserError(f"{name}, line {number} has no tab between a source and a target")
        pairs.append((columns[0], columns[1]))
    return _some(pairs, name)


def _some(pairs: list[Pair], name: str) -> list[Pair]:
    if not any(all(pair) for pair in pairs):
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
