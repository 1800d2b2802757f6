from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.errors import UserError
from seqlab.text.word_questions import Judged, Question, read_analogies, read_similarity


def test_questions_have_sections(tmp_path: Path) -> None:
    file = tmp_path / "q.txt"
    file.write_text("a b c d\n: family\nking queen man woman\n\n: more\ne f g h\n", encoding="utf-8")
    assert read_analogies(file) == [
        Question("all", "a", "b", "c", "d"),
        Question("family", "king", "queen", "man", "woman"),
        Question("more", "e", "f", "g", "h"),
    ]


@pytest.mark.parametrize(
    "content", ["cat\tdog\t7.5\nbig cat\tmouse\t1\n", "Word 1,Word 2,Human\ncat,dog,7.5\nbig cat,mouse,1\n"]
)
def test_pairs_stand_between_tabs_or_commas(content: str, tmp_path: Path) -> None:
    file = tmp_path / "pairs"
    file.write_text(content, encoding="utf-8")
    assert read_similarity(file) == [Judged("cat", "dog", 7.5), Judged("big cat", "mouse", 1.0)]


def test_pairs_stand_between_spaces_below_remarks(tmp_path: Path) -> None:
    file = tmp_path / "pairs"
    file.write_text("# of people\ncat dog 7.5\nold new 1 more\n", encoding="utf-8")
    assert read_similarity(file) == [Judged("cat", "dog", 7.5), Judged("old", "new", 1.0)]


Reader = Callable[[Path], object]


@pytest.mark.parametrize(
    ("reader", "content", "words"),
    [
        (read_analogies, b": x\na b c\n", "line 2 has 3 words; a question has four"),
        (read_analogies, b": x\n", "holds no questions"),
        (read_analogies, b"\xff\n", "is not UTF-8 text"),
        (read_similarity, b"a b 1\nc d\n", "line 2 is no pair; a line has two words and a score"),
        (read_similarity, b"a b 1\nc d nan\n", "line 2 is no pair"),
        (read_similarity, b"a b 1\n", "fewer than two pairs"),
    ],
)
def test_other_files_are_refused(reader: Reader, content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(UserError, match=words):
        reader(file)


@pytest.mark.parametrize("reader", [read_analogies, read_similarity])
def test_a_file_that_is_not_there(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read .*nothing: no such file"):
        reader(tmp_path / "nothing")
