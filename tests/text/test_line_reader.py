import gzip
import os
import random
from io import TextIOWrapper
from pathlib import Path

import pytest

from seqlab.errors import UserError
from seqlab.text import line_reader
from seqlab.text.line_reader import (
    LONGEST_LINE,
    Unended,
    ended_lines,
    is_compressed,
    read_bytes,
    read_lines,
    split_lines,
    with_line_ends,
    without_compression,
)
from seqlab.text.words import WordTokenizer


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("a\nb\n", ["a\n", "b\n"]),
        ("a\r\nb", ["a\n", "b"]),
        ("a\rb\n", ["a\rb\n"]),
        ("a\rb\r", ["a\n", "b\n"]),
        ("\n\n", ["\n", "\n"]),
        ("a\x0bb\u2028c", ["a\x0bb\u2028c"]),
        ("", []),
    ],
)
def test_what_a_line_is(text: str, ended: list[str], tmp_path: Path) -> None:
    assert ended_lines(text) == ended
    assert split_lines(text) == [line.removesuffix("\n") for line in ended]
    assert with_line_ends(text) == "".join(ended)
    assert list(read_lines([write(tmp_path / "text", text)])) == ended


def test_the_bytes_of_a_file(tmp_path: Path) -> None:
    packed = write(tmp_path / "text.gz", gzip.compress(b"a\r\n"))
    assert read_bytes(packed) == read_bytes(write(tmp_path / "text", "a\r\n")) == b"a\r\n"
    assert [is_compressed(tmp_path / name) for name in ("text.gz", "text.txt", "text")] == [True, False, False]
    with pytest.raises(UserError, match=rf"^cannot read {tmp_path}/none: no such file or directory$"):
        read_bytes(tmp_path / "none")


def lines_of(path: Path) -> list[list[str]]:
    """The pieces of each line."""
    lines: list[list[str]] = [[]]
    for piece in read_lines([path]):
        lines[-1].append(piece)
        if not isinstance(piece, Unended):
            lines.append([])
    return lines[:-1]


def cut(line: str, longest: int) -> list[str]:
    """The pieces that a line has to be read in, character by character."""
    pieces = [""]
    for before, at, after in zip(line, line[1:], line[2:], strict=False):
        pieces[-1] += before
        if len(pieces[-1]) >= longest - 1 and at == " " and {before, after} <= {*"aé1"}:
            pieces.append("")
    pieces[-1] += line[-2:]
    return pieces


@pytest.mark.parametrize("characters", ["aé1 ", "a ,中\n", "aé1", "a  ,\r\n", "a1 \r", "a ́'"])
def test_lines_in_pieces_are_the_lines(characters: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(0)
    monkeypatch.setattr(line_reader, "LONGEST_LINE", 7)
    for length in range(1, 300, 4):
        text = "".join(generator.choices(characters, k=length))
        pieces = lines_of(write(tmp_path / "text", text))
        assert ["".join(line) for line in pieces] == ended_lines(text)
        assert pieces == [cut(line, 7) for line in ended_lines(text)]


@pytest.mark.parametrize("spaces", [0, 1, 3000])
def test_a_line_of_random_characters_of_any_script(spaces: int, tmp_path: Path) -> None:
    generator = random.Random(spaces)
    letters = [chr(code) for code in range(0x21, 0x3FFF) if chr(code).isprintable()]
    line = "".join(generator.choices([*letters, " "], [*[1] * len(letters), spaces], k=20 * LONGEST_LINE))
    pieces = lines_of(write(tmp_path / "text", f"{line}\nshort\n"))
    assert ["".join(each) for each in pieces] == [f"{line}\n", "short\n"]
    assert (len(pieces[0]) > 5) == (spaces > 1)


@pytest.mark.parametrize("characters", ["aé1 .", "a '-\"", "ab ()", "Ａ１々 a", "中 a한"])
def test_the_words_of_the_pieces_are_those_of_the_line(
    characters: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_reader, "LONGEST_LINE", 5)
    line, word = "".join(random.Random(0).choices(characters, k=2000)), WordTokenizer()
    (pieces,) = lines_of(write(tmp_path / "text", line))
    assert [token for piece in pieces for token in word.tokenize(piece)] == word.tokenize(line)


def test_a_long_line_is_broken_before_spaces(tmp_path: Path) -> None:
    words = "".join(f"word{number} " for number in range(5000))
    pieces = list(read_lines([write(tmp_path / "line", words)]))
    assert all(piece.startswith(" ") for piece in pieces[1:])
    assert max(map(len, pieces)) < 3 * LONGEST_LINE
    assert [isinstance(piece, Unended) for piece in pieces] == [True] * (len(pieces) - 1) + [False]


def test_a_long_line_without_spaces_stays_whole(tmp_path: Path) -> None:
    assert list(read_lines([write(tmp_path / "line", "x" * 20_000 + "\ny\n")])) == ["x" * 20_000 + "\n", "y\n"]


def test_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "text", "\ufeffab\r\ncd\ref\n".encode())
    assert list(read_lines([path])) == ["ab\n", "cd\ref\n"]
    assert list(read_lines([path, path]))[2] == "ab\n"
    assert list(read_lines([write(tmp_path / "old", b"ab\rcd\r")])) == ["ab\n", "cd\n"]


@pytest.mark.parametrize(("before", "line"), [(2, 3), (0, 1), (5000, 5001)])
def test_not_utf8(tmp_path: Path, before: int, line: int) -> None:
    path = write(tmp_path / "latin", b"\xc3\xa9t\xc3\xa9\n" * before + b"caf\xe9 noir\n")
    words = rf"^{path} is not UTF-8 text \(byte 0xe9 in line {line}\); convert it, for example with iconv -t UTF-8$"
    with pytest.raises(UserError, match=words):
        list(read_lines([path]))


class Counting(str):
    """Counts the characters that additions copy."""

    copied = 0

    def __add__(self, more: str) -> "Counting":
        Counting.copied += len(self) + len(more)
        return Counting(str(self) + more)


class CountingFile(TextIOWrapper):
    def readline(self, size: int = -1, /) -> str:
        return Counting(super().readline(size))


def test_a_line_without_blanks_is_read_in_linear_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, text = tmp_path / "long.txt", "x" * 10**6
    path.write_text(text)
    monkeypatch.setattr(line_reader, "TextIOWrapper", CountingFile)
    assert "".join(read_lines([path])) == text
    assert Counting.copied <= 2 * len(text)


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_a_text_without_an_end_is_refused(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="not a file that ends"):
        list(read_lines([tmp_path / name]))


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a.txt.gz", "a.txt"), ("a.tsv.xz", "a.tsv"), ("b/a.bz2", "b/a"), ("a.txt", "a.txt"), ("a", "a")],
)
def test_what_a_compressed_file_holds_has_its_own_ending(name: str, plain: str) -> None:
    assert without_compression(Path(name)) == Path(plain)
