"""Reads word vectors from files of GloVe and word2vec, text or binary."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from seqlab.errors import UserError, reason_of
from seqlab.files import DAMAGED, open_plain
from seqlab.text.vocab import Vocab

LONGEST_LINE = 2**20
"""Most bytes of a line; a longer line is an error."""

PROBED = 2**16
"""Number of bytes after the first line that show whether a file is binary."""
CONTROLS = bytes([*range(9), *range(14, 32)])
"""Bytes that never occur in text."""
DIGITS = 12
"""Largest valid count."""

LARGEST = float(np.finfo(np.float32).max)


def read_vectors(path: Path, vocab: Vocab, size: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The vectors of the tokens of a vocabulary; the first vector counts if a token occurs twice.

    A token with capitals that the file lacks takes the vector of its lower-case form (Lample et al. 2016, N16-1030).

    The file is UTF-8, plain or compressed, with a line ``token v1 ... vd`` for each token, with or without a first line
    ``count dimension``; or it is a binary file of word2vec. It is read vector by vector, so that memory only grows with
    the vocabulary.

    Args:
        path: Path of the file.
        vocab: Vocabulary whose tokens are looked up.
        size: Size of a vector.

    Returns:
        Ids ``(found,)`` and their vectors ``(found, size)``.

    Raises:
        UserError: The file cannot be read, a line is no vector of the size, or no token is in the vocabulary.
    """
    found: dict[int, NDArray[np.float32]] = {}
    of_small_letters: dict[int, NDArray[np.float32]] = {}
    capitals = _by_small_letters(vocab)
    for token, row in _binary_rows(path, size) if _is_binary(path) else _text_rows(path, size):
        if token in vocab and vocab[token] not in found:
            found[vocab[token]] = row()
        for other in capitals.pop(token, ()):
            of_small_letters[other] = row()
    found = {**of_small_letters, **found}
    if not found:
        raise UserError(
            f"{path} has a vector of none of the {len(vocab):,} tokens of the vocabulary; give vectors of its language "
            "and kind of tokens"
        )
    return np.array(list(found)), np.stack(list(found.values()))


Row = tuple[str, Callable[[], NDArray[np.float32]]]
"""A token, and a function that reads its vector ``(size,)``."""


def _text_rows(path: Path, size: int) -> Iterator[Row]:
    sized = False
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}, line {number}"
        fields = _fields(line, where)
        if not fields or (number == 1 and len(fields) == 2 and all(field.isdigit() for field in fields)):
            continue
        if not sized:
            _check_size(fields, size, where)
            sized = True
        words, numbers = fields[:-size], fields[-size:]  # a few tokens of GloVe contain spaces
        if not words or (len(words) > 1 and _is_number(words[-1])):
            raise UserError(f"{where} has a vector of size {len(fields) - 1} after those of {size}; mend or remove it")
        yield b" ".join(words).decode(), partial(_row, numbers, where)


def _is_binary(path: Path) -> bool:
    """Whether binary numbers follow a first line ``count size``."""
    try:
        with open_plain(path) as file:
            fields, begin = file.readline(LONGEST_LINE).split(), file.read(PROBED)
    except (OSError, *DAMAGED):
        return False
    sized = len(fields) == 2 and all(field.isdigit() and len(field) <= DIGITS for field in fields)
    return sized and len(begin.translate(None, CONTROLS)) < len(begin)


def _binary_rows(path: Path, size: int) -> Iterator[Row]:
    """Rows ``token v1 ... vd`` with little-endian float32 numbers, as word2vec writes them."""
    try:
        with open_plain(path) as file:
            count, width = map(int, file.readline(LONGEST_LINE).split())
            if width != size:
                raise UserError(_other_size(str(path), width, size))
            for number in range(1, count + 1):
                token = b"".join(iter(partial(_byte_of_token, file), b" ")).lstrip(b"\n")
                numbers = file.read(4 * size)
                if len(numbers) < 4 * size:
                    raise UserError(f"{path} ends within vector {number:,} of {count:,}; get the file again")
                yield token.decode(errors="replace"), partial(_finite, numbers, f"{path}, vector {number:,}")
    except (OSError, *DAMAGED) as error:
        raise UserError(f"cannot read {path}: {reason_of(error)}; name a file of vectors") from None


def _byte_of_token(file: IO[bytes]) -> bytes:
    """The next byte; the end of the file also ends a token."""
    return file.read(1) or b" "


def _finite(numbers: bytes, where: str) -> NDArray[np.float32]:
    row = np.frombuffer(numbers, dtype="<f4").astype(np.float32)
    if not np.isfinite(row).all():
        raise UserError(f"{where} has a number that is not finite; get the file again")
    return row


def _by_small_letters(vocab: Vocab) -> dict[str, list[int]]:
    """The ids of tokens with capitals, by their lower-case form."""
    ids: dict[str, list[int]] = {}
    for number, token in enumerate(vocab.tokens([*range(len(vocab))])):
        if token != token.lower():
            ids.setdefault(token.lower(), []).append(number)
    return ids


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with open_plain(path) as file:
            while line := file.readline(LONGEST_LINE):
                yield line
    except (OSError, *DAMAGED) as error:
        raise UserError(f"cannot read {path}: {reason_of(error)}; name a file of vectors") from None


def _fields(line: bytes, where: str) -> list[bytes]:
    """Fields separated by ASCII spaces; other spaces belong to tokens."""
    if len(line) == LONGEST_LINE:
        raise UserError(f"{where} is longer than {LONGEST_LINE:,} bytes; give a file with one vector a line")
    try:
        line.decode()
    except UnicodeDecodeError:
        raise UserError(f"{where} is not UTF-8 text; give vectors as text, as GloVe has them") from None
    return line.removeprefix(codecs.BOM_UTF8).split()


def _check_size(fields: Sequence[bytes], size: int, where: str) -> None:
    spaced = len(fields) > size + 1 and not _is_number(fields[-size - 1])  # a token with spaces
    if spaced and all(map(_is_number, fields[-size:])):
        return
    width = len(_row(fields[1:], where))
    if not width:
        raise UserError(f"{where} has a token without numbers; give a file with one vector a line")
    if width != size:
        raise UserError(_other_size(where, width, size))


def _other_size(where: str, width: int, size: int) -> str:
    return f"{where} has a vector of size {width}, but embedding_size is {size}; give --model.embedding_size {width}"


def _row(fields: Sequence[bytes], where: str) -> NDArray[np.float32]:
    if wrong := next((field for field in fields if not _is_number(field)), None):
        raise UserError(f"{where}: '{wrong.decode()}' is not a finite number")
    return np.array([float(field) for field in fields], dtype=np.float32)


def _is_number(field: bytes) -> bool:
    try:
        return abs(float(field)) <= LARGEST
    except ValueError:
        return False
