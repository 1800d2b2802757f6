import gzip
from pathlib import Path

import pytest

from seqlab.data.labelled_files import read_labelled, read_text
from seqlab.data.tables import Layout
from seqlab.errors import UserError


def written(folder: Path, name: str, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder / name


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("a.tsv", "so good\tpos\nbad\tneg\nso bad\tneg\n", None),
        ("a.csv.gz", "so good,pos\nbad,neg\nso bad,neg\n", None),
        ("a.txt", "__label__pos so good\n__label__neg bad\n__label__neg so bad\n", None),
        ("a.data", "__label__pos so good\n__label__neg bad\n__label__neg so bad\n", None),
        ("a.data", "pos so good\nneg bad\nneg so bad\n", "label_first"),
    ],
)
def test_endings_and_first_words_say_the_format(name: str, content: str, form: str | None, tmp_path: Path) -> None:
    rows, _ = read_labelled([written(tmp_path, name, content)], Layout(format=form))
    assert rows.texts == ["so good", "bad", "so bad"]
    assert rows.labels == ["pos", "neg", "neg"]


def test_one_file_after_the_other_with_the_columns_of_the_first(tmp_path: Path) -> None:
    one = written(tmp_path, "1.tsv", "a b\tx\nc\tx\n")
    two = written(tmp_path, "2.tsv", "x\ta b\nx\tc\n")
    rows, layout = read_labelled([one, two], Layout())
    assert rows.texts == ["a b", "c", "x", "x"]
    assert rows.labels == ["x", "x", "a b", "c"]
    assert rows.notes == ("label in column 2",)
    assert (layout.text, layout.label) == (1, 2)


def test_several_labels_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "__label__x __label__y a b\n")
    assert read_labelled([path], Layout(separator=";"))[0].labels == ["x;y"]


@pytest.mark.parametrize(
    ("content", "encoding", "text", "note"),
    [
        ("caf\u00e9\r\nb\rc".encode(), None, "caf\u00e9\nb\rc", ""),
        ("caf\u00e9\rb".encode(), None, "caf\u00e9\nb", ""),
        ("\ufeffa".encode(), None, "a", ""),
        ("caf\u00e9".encode("latin-1"), None, "caf\u00e9", "a.txt read as Latin-1"),
        ("\u20ac".encode("cp1252"), "cp1252", "\u20ac", ""),
    ],
)
def test_encodings_and_line_ends(content: bytes, encoding: str | None, text: str, note: str, tmp_path: Path) -> None:
    assert read_text(written(tmp_path, "a.txt", content), encoding) == (text, note)


@pytest.mark.parametrize(
    ("name", "content", "layout", "words"),
    [
        ("a.data", "x\ta\n", Layout(), "the ending of .*a.data says no format; give --data.format tsv, csv, jsonl, "),
        ("a.tsv", "\n \n", Layout(), ".*a.tsv holds no labelled text; give a file with a text and a label on each"),
        ("a.txt", "__label__x a\nb\n", Layout(), ".*a.txt, line 2 does not begin with __label__; give every line"),
        ("a.txt", "__label__x a\n__label__ b\n", Layout(), ".*line 2 has __label__ without a label behind it"),
        ("a.txt", "__label__x __label__y a\n", Layout(), ".*line 1 has 2 labels, not one; give --data.multilabel"),
        ("a.tsv", "x\ta\n", Layout(encoding="utf-99"), "unknown encoding 'utf-99'; give a name such as utf-8"),
        ("a.tsv", b"\xff\ta\n", Layout(encoding="utf-8"), ".*a.tsv is not utf-8 text: .*; give its --data.encoding"),
        ("a.tsv.gz", b"", Layout(), ".*a.tsv.gz holds no labelled text"),
    ],
)
def test_files_that_cannot_be_read(name: str, content: str | bytes, layout: Layout, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{words}"):
        read_labelled([written(tmp_path, name, content)], layout)
