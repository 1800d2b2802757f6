from pathlib import Path

import numpy as np
import pytest

from seqlab.errors import UserError
from seqlab.text.vector_files import WRITERS
from seqlab.text.vectors import read_vectors
from seqlab.text.vocab import Vocab

WORDS = ["the", "caf\u00e9", "a b"]
VECTORS = np.array([[0.5, -1.25], [1e-8, 3.0], [1 / 3, 2.0]], dtype=np.float32)


def test_what_is_written() -> None:
    assert WRITERS["glove"](WORDS, VECTORS) == "the 0.5 -1.25\ncaf\u00e9 1e-08 3\na_b 0.3333333 2\n".encode()
    assert WRITERS["word2vec"](WORDS, VECTORS) == b"3 2\n" + WRITERS["glove"](WORDS, VECTORS)
    binary = WRITERS["word2vec_binary"](WORDS[:1], VECTORS[:1])
    assert binary == b"1 2\nthe \x00\x00\x00\x3f\x00\x00\xa0\xbf\n"


@pytest.mark.parametrize("format", WRITERS)
def test_what_is_written_is_read_again(format: str, tmp_path: Path) -> None:
    file = tmp_path / "vectors"
    file.write_bytes(WRITERS[format](WORDS, VECTORS))
    ids, rows = read_vectors(file, Vocab({"caf\u00e9": 2, "the": 1, "other": 1}), 2)
    assert dict(zip(ids.tolist(), rows.tolist(), strict=True)) == {1: VECTORS[1].tolist(), 3: VECTORS[0].tolist()}


def test_a_binary_file_that_is_cut_or_of_another_size_is_refused(tmp_path: Path) -> None:
    file, vocab = tmp_path / "v.bin", Vocab({"the": 1})
    whole = WRITERS["word2vec_binary"](WORDS, VECTORS)
    file.write_bytes(whole[:-4])
    with pytest.raises(UserError, match=r"v\.bin ends within vector 3 of 3; get the file again"):
        read_vectors(file, vocab, 2)
    with pytest.raises(UserError, match=r"size 2, but embedding_size is 5; give --model\.embedding_size 2"):
        read_vectors(file, vocab, 5)
    file.write_bytes(WRITERS["word2vec_binary"](WORDS, np.full((3, 2), np.nan, dtype=np.float32)))
    with pytest.raises(UserError, match=r"vector 1 has a number that is not finite"):
        read_vectors(file, vocab, 2)
