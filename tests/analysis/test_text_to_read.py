import gzip
from pathlib import Path

import pytest

from seqlab.analysis.text_to_read import ids_of
from seqlab.errors import UserError
from seqlab.text.codec import Codec
from seqlab.text.line_reader import read_lines

TEXT = "the cat\nthe dog\n"


@pytest.fixture
def codec() -> Codec:
    return Codec.build(lambda: iter(TEXT.splitlines(keepends=True)), "raw", "word")


def test_a_text_and_a_file_of_it_are_the_same(codec: Codec, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    given, named = ids_of(codec, TEXT)
    assert named == "the text given"
    assert ids_of(codec, "dog.txt")[1] == "the text 'dog.txt', which is no file"
    for name in ("a.txt", "b.txt.gz"):
        read, named = ids_of(codec, str(tmp_path / name))
        assert (read.tolist(), named) == (given.tolist(), name)
    assert ids_of(codec, "dog " * 5000)[0].tolist() == [codec.vocab["dog"]] * 5000


def test_lines_end_where_those_of_training_end(tmp_path: Path) -> None:
    content = "the cat\x0c the\x85 dog\u2028 the\r\nthe dog\r\n"
    (tmp_path / "a.txt").write_text(content, encoding="utf-8", newline="")
    codec = Codec.build(lambda: read_lines([tmp_path / "a.txt"]), "raw", "char")
    expected = [one for line in read_lines([tmp_path / "a.txt"]) for one in codec.encode(line)]
    assert ids_of(codec, str(tmp_path / "a.txt"))[0].tolist() == expected


def test_a_file_without_text(codec: Codec, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    assert len(ids_of(codec, str(tmp_path / "empty"))[0]) == 0
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UserError, match=r"cannot read .*bytes: .*; name a UTF-8 file"):
        ids_of(codec, str(tmp_path / "bytes"))
