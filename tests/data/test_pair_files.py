import gzip
import zipfile
from pathlib import Path

import pytest

from seqlab.data import pair_files
from seqlab.data.pair_files import read_bytes, read_columns, read_two, read_zip, split_of
from seqlab.errors import UserError


def test_columns_of_a_file(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfgo .\tva !\tCC-BY\r\n\n hi \t salut\n"
    (tmp_path / "p.tsv").write_bytes(content)
    (tmp_path / "p.tsv.gz").write_bytes(gzip.compress(content))
    for name in ("p.tsv", "p.tsv.gz"):
        assert read_columns(tmp_path / name) == [("go .", "va !"), ("hi", "salut")]
    assert read_bytes(tmp_path / "p.tsv.gz") == content


def test_two_files_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "en").write_bytes(b"go .\r\nhi\r\n")
    (tmp_path / "fr").write_bytes(b"va !\nsalut")
    assert read_two(tmp_path / "en", tmp_path / "fr") == [("go .", "va !"), ("hi", "salut")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"go\tva\nhi\n", "line 2 has no tab between a source and a target"),
        (b"go\tva\nhi\t\xff\n", "line 2 is not UTF-8 text; convert the file first"),
        (b"\n \n", "holds no pair of sentences"),
    ],
)
def test_lines_that_are_no_pairs(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "p.tsv").write_bytes(content)
    with pytest.raises(UserError, match=f"p.tsv,? {words}$"):
        read_columns(tmp_path / "p.tsv")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("va\n", "line 2 of .*en has none in .*fr: .*en has 2 lines and .*fr 1; give one target for every source"),
    ],
)
def test_two_files_that_do_not_match(target: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "en").write_text("go\nhi\n")
    (tmp_path / "fr").write_text(target)
    with pytest.raises(UserError, match=words):
        read_two(tmp_path / "en", tmp_path / "fr")


@pytest.mark.parametrize("name", ["gone.tsv", "damaged.gz", "cut.gz"])
def test_files_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "damaged.gz").write_bytes(b"no gzip")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"go\tva\n" * 99)[:-9])
    with pytest.raises(UserError, match=f"^cannot read .*{name}: "):
        read_bytes(tmp_path / name)


def test_a_member_of_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fra.txt", "go\tva\n")
    assert read_zip(path, "fra.txt") == [("go", "va")]
    with pytest.raises(UserError, match="p.zip is not an archive that holds deu.txt .*; get it again$"):
        read_zip(path, "deu.txt")
    monkeypatch.setattr(pair_files, "LARGEST", 5)
    with pytest.raises(UserError, match="fra.txt unpacks to more than 5 bytes; it was not read$"):
        read_zip(path, "fra.txt")
    path.write_bytes(b"no zip")
    with pytest.raises(UserError, match="p.zip is not an archive"):
        read_zip(path, "fra.txt")


def test_a_source_has_one_part_whatever_its_capitals() -> None:
    assert split_of("Go .", 0.5, 0.5) == split_of(" go . ", 0.5, 0.5)
    sources = [f"sentence {number}" for number in range(2000)]
    parts = [split_of(source, 0.2, 0.3) for source in sources]
    for part, share in (("train", 0.5), ("val", 0.2), ("test", 0.3)):
        assert parts.count(part) / 2000 == pytest.approx(share, abs=0.04)
    assert {split_of(source, 0.0, 1.0) for source in sources} == {"test"}
    assert {split_of(source, 0.0, 0.0) for source in sources} == {"train"}
