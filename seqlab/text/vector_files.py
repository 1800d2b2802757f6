"""Word vectors in the file formats of word2vec and GloVe."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]


def as_glove(words: Sequence[str], vectors: Rows) -> bytes:
    """One line ``word v1 ... vd`` per word, UTF-8.

    Args:
        words: Words of the rows; white space within one is written as ``_``.
        vectors: ``(words, size)`` float32.
    """
    lines = (f"{_word(word)} {' '.join(map(_shown, row))}\n" for word, row in zip(words, vectors.tolist(), strict=True))
    return "".join(lines).encode()


def as_word2vec(words: Sequence[str], vectors: Rows) -> bytes:
    """``as_glove`` after a first line ``count size``."""
    return _head(vectors) + as_glove(words, vectors)


def as_word2vec_binary(words: Sequence[str], vectors: Rows) -> bytes:
    """A first line ``count size``; then for each word its UTF-8 bytes, a space, its numbers as little-endian float32,
    and a line end."""
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    parts = (f"{_word(word)} ".encode() + row.tobytes() + b"\n" for word, row in zip(words, rows, strict=True))
    return _head(vectors) + b"".join(parts)


def _head(vectors: Rows) -> bytes:
    count, size = vectors.shape
    return f"{count} {size}\n".encode()


def _word(word: str) -> str:
    return "_".join(word.split()) or "_"


def _shown(value: float) -> str:
    return f"{value:.7g}"


WRITERS: dict[str, Callable[[Sequence[str], Rows], bytes]] = {
    "word2vec": as_word2vec,
    "word2vec_binary": as_word2vec_binary,
    "glove": as_glove,
}
"""Functions from words and vectors to the content of a file, by the name of the format."""
