import gzip
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from seqlab.errors import UserError
from seqlab.text.vectors import LONGEST_LINE, read_vectors
from seqlab.text.vocab import Vocab

VOCAB = Vocab({"the": 3, "caf\u00e9": 2, "a\u00a0b": 1})  # ids 1, 2, 3


def read(folder: Path, content: bytes, size: int = 2, name: str = "v.txt") -> dict[int, list[float]]:
    (folder / name).write_bytes(content)
    ids, rows = read_vectors(folder / name, VOCAB, size)
    assert (ids.dtype, rows.dtype, rows.shape) == (np.int64, np.float32, (len(ids), size))
    return dict(zip(ids.tolist(), rows.tolist(), strict=True))


GLOVE = "the 0.5 -1\n, 7 7\ncaf\u00e9 1e-1 2\n".encode()
EXPECTED = {1: [0.5, -1.0], 2: [np.float32(0.1), 2.0]}


@pytest.mark.parametrize(
    "content",
    [
        GLOVE,
        b"3 2\n" + GLOVE,
        b"\xef\xbb\xbf" + GLOVE,
        GLOVE.replace(b"\n", b" \r\n"),
        GLOVE.replace(b" ", b"\t"),
        GLOVE + b"\n",
        GLOVE + b"the 8 8\n",
        GLOVE + b". . . 0.1 0.2\nat name 0.3 0.4\n",
        GLOVE + b"unread numbers 1 x\n",
    ],
    ids=["glove", "word2vec", "mark", "line ends", "tabs", "blank line", "twice", "spaces in tokens", "unread"],
)
def test_each_token_has_its_numbers(content: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, content) == EXPECTED
    assert read(tmp_path, gzip.compress(content), name="v.txt.gz") == EXPECTED


def test_other_spaces_belong_to_tokens(tmp_path: Path) -> None:
    assert read(tmp_path, "a\u00a0b 1 2\n".encode()) == {3: [1.0, 2.0]}


def test_one_number_a_token(tmp_path: Path) -> None:
    assert read(tmp_path, b"the 4\n", size=1) == {1: [4.0]}


WRONG: dict[str, tuple[bytes, str]] = {
    "size": (
        b"the 1 2 3\n",
        "v.txt, line 1 has a vector of size 3, but embedding_size is 2; give --model.embedding_size 3",
    ),
    "size after a header": (
        b"1 3\nthe 1 2 3\n",
        "v.txt, line 2 has a vector of size 3, but embedding_size is 2; give --model.*3",
    ),
    "too few": (b"the 1 2\nof 1\n", "v.txt, line 2 has a vector of size 1 after those of 2; mend or remove it"),
    "too many": (b"the 1 2\nof 1 2 3\n", "v.txt, line 2 has a vector of size 3 after those of 2; mend or remove it"),
    "no numbers": (b"the\n", "v.txt, line 1 has a token without numbers; give a file with one vector a line"),
    "words": (b"go on\n", "v.txt, line 1: 'on' is not a finite number"),
    "word": (b"of 1 2\nthe 1 x2\n", "v.txt, line 2: 'x2' is not a finite number"),
    "not finite": (b"of 1 2\nthe nan 2\n", "v.txt, line 2: 'nan' is not a finite number"),
    "too large": (b"of 1 2\nthe 1e39 2\n", "v.txt, line 2: '1e39' is not a finite number"),
    "not UTF-8": (b"the 1 2\n\xff 1 2\n", "v.txt, line 2 is not UTF-8 text; give vectors as text, as GloVe has them"),
    "no lines": (b"1 2 " * LONGEST_LINE, r"v.txt, line 1 is longer than 1,048,576 bytes; give a file with one .*"),
    "other tokens": (b"of 1 2\n", "v.txt has a vector of none of the 4 tokens of the vocabulary; give vectors of .*"),
    "nothing": (b"", "v.txt has a vector of none of the 4 tokens of the vocabulary; give vectors of .*"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_holds_no_vectors(case: str, tmp_path: Path) -> None:
    content, words = WRONG[case]
    with pytest.raises(UserError, match=f"^{re.escape(str(tmp_path))}/{words}$"):
        read(tmp_path, content)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot read .*gone.txt: no such file or directory; name a file of vectors$"):
        read_vectors(tmp_path / "gone.txt", VOCAB, 2)
    with pytest.raises(UserError, match=r"^cannot read .*: is a directory; name a file of vectors$"):
        read_vectors(tmp_path, VOCAB, 2)
    whole = gzip.compress(b"the 1 2\n" * 5000)
    for content in (whole[:-20], GLOVE, whole[:20] + b"\xff" * 20 + whole[40:]):
        with pytest.raises(UserError, match=r"^cannot read .*v.txt.gz: .*; name a file of vectors$"):
            read(tmp_path, content, name="v.txt.gz")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    line = " 0.5" * 50 + "\n"
    content = "".join(f"word{number}{line}" for number in range(20_000))
    (tmp_path / "v.txt").write_text(f"the{line}{content}")
    tracemalloc.start()
    ids, _ = read_vectors(tmp_path / "v.txt", VOCAB, 50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ids.tolist() == [1]
    assert peak < 200_000 < len(content) / 20


def test_the_first_token_may_hold_spaces(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text(". . . 0.1 0.2\na 1 2\n")
    ids, vectors = read_vectors(path, Vocab({". . .": 1, "a": 2}), 2)
    assert dict(zip(ids.tolist(), vectors.tolist(), strict=True)) == {1: [1, 2], 2: pytest.approx([0.1, 0.2])}


def test_capitals_without_a_vector_take_that_of_small_letters(tmp_path: Path) -> None:
    path, vocab = tmp_path / "v.txt", Vocab({"The": 4, "the": 3, "Paris": 2, "NASA": 1})
    path.write_text("the 1 2\nThe 3 4\nparis 5 6\nParis 7 8\nnasa 9 10\nother 0 0\n", encoding="utf-8")
    ids, rows = read_vectors(path, vocab, 2)
    found = {vocab.tokens(number): row for number, row in zip(ids.tolist(), rows.tolist(), strict=True)}
    assert found == {"The": [3, 4], "the": [1, 2], "Paris": [7, 8], "NASA": [9, 10]}
