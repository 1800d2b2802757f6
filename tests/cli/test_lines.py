import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from seqlab.cli.lines import given_lines, lines_of, write_lines
from seqlab.errors import UserError


@pytest.mark.parametrize("path", [None, "-"])
def test_lines_of_stdin(path: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"\xef\xbb\xbfa\r\n\nb\x0bc\n")))
    assert lines_of(path, "sentence") == ["a", "", "b\x0bc"]  # lines end at line ends alone


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read in.txt: no such file or directory"),
        (b"a\xff", "in.txt is not UTF-8 text (byte 1); convert it first"),
        (b"", "in.txt holds no sentence to translate"),
        (b"\n", "in.txt holds no sentence to translate"),
    ],
)
def test_files_that_hold_no_lines(content: bytes | None, words: str, here: Path) -> None:
    if content is not None:
        (here / "in.txt").write_bytes(content)
    with pytest.raises(UserError) as caught:
        lines_of("in.txt", "sentence to translate")
    assert str(caught.value) == words


def test_words_or_a_file(here: Path) -> None:
    (here / "in.txt").write_text("a\nb")
    assert given_lines(["one", "two"], None, "input") == ["one", "two"]
    assert given_lines([], "in.txt", "input") == ["a", "b"]
    with pytest.raises(UserError, match="^give either inputs as words or --input in.txt, not both$"):
        given_lines(["one"], "in.txt", "input")


def test_lines_are_written_whole_or_not_at_all(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> object:
        yield "a"
        raise KeyboardInterrupt

    write_lines(None, ["a", "é"])
    assert capsys.readouterr().out == "a\né\n"
    write_lines("out.txt", ["a", "é"])
    assert (here / "out.txt").read_text(encoding="utf-8") == "a\né\n"
    with pytest.raises(KeyboardInterrupt):
        write_lines("out.txt", broken())  # type: ignore[arg-type]
    assert (here / "out.txt").read_text(encoding="utf-8") == "a\né\n"
    with pytest.raises(UserError, match="^cannot write gone/out.txt: no such file or directory$"):
        write_lines("gone/out.txt", ["a"])
    assert [path.name for path in here.iterdir()] == ["out.txt"]
