"""Archives that are sound, damaged and malicious."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.data import archive as archives
from seqlab.data.archive import unpack
from seqlab.errors import UserError

DATA = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).parents[2].parent / "shared" / "data")


def refusal(archive: Path, folder: Path, **options: int) -> str:
    """The sentence, after which nothing but the archive may be left."""
    with pytest.raises(UserError) as caught:
        unpack(archive, folder, **options)
    assert "\n" not in str(caught.value)
    assert [path.name for path in folder.parent.iterdir()] == [archive.name]
    assert str(archive) in str(caught.value)
    return str(caught.value)


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tar_of(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b""))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


FILES = {"a/fra.txt": b"Go.\tVa !\n", "about.txt": b"about"}


@pytest.mark.parametrize(
    "pack",
    [zip_of, tar_of, lambda path, members: tar_of(path, members, "w")],
    ids=["zip", "tar.gz", "tar"],
)
def test_unpack(pack: Callable[..., Path], tmp_path: Path) -> None:
    archive, folder = pack(tmp_path / "archive", {"a/": b"", **FILES} if pack is zip_of else FILES), tmp_path / "texts"
    assert unpack(archive, folder) == folder
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "texts"]
    archive.write_bytes(b"not to be read again")
    assert unpack(archive, folder) == folder


def test_unpack_the_real_pairs(tmp_path: Path) -> None:
    archive = DATA / "fra-eng.zip"
    if not archive.is_file():
        pytest.skip(f"{archive} is not here")
    text = unpack(archive, tmp_path / "fra-eng") / "fra-eng" / "fra.txt"
    with text.open(encoding="utf-8") as file:
        assert sum(1 for _ in file) == 167_130


@pytest.mark.parametrize("pack", [zip_of, tar_of], ids=["zip", "tar"])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil"])
def test_members_stay_below_the_folder(pack: Callable[..., Path], name: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / "archive", {"good": b"", name: b"evil"})
    assert f"holds {name!r}, which leads out of the folder;" in refusal(archive, tmp_path / "texts")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "archive", {"good": b"", "odd": special("odd", kind, "good")})
    assert "holds 'odd', which is a link or a device" in refusal(archive, tmp_path / "texts")


def test_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("odd")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "holds 'odd', which is a link or a device" in refusal(tmp_path / "archive", tmp_path / "texts")


@pytest.mark.parametrize("pack", [zip_of, tar_of], ids=["zip", "tar"])
def test_bomb_is_refused(pack: Callable[..., Path], tmp_path: Path) -> None:
    archive = pack(tmp_path / "archive", {"a": bytes(600), "b": bytes(401)})
    assert "unpacks to more bytes than are allowed" in refusal(archive, tmp_path / "texts", max_bytes=1000)
    unpack(archive, tmp_path / "texts", max_bytes=1001)


def test_bomb_in_the_headers_of_a_tar_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 1)
    archive = tar_of(tmp_path / "archive", {"x" * 100_000: b""})
    assert "unpacks to more bytes than are allowed" in refusal(archive, tmp_path / "texts", max_bytes=1000)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    archive = zip_of(tmp_path / "archive", {"a": b"", "b": b"", "c": b""})
    assert "holds more than 2 files" in refusal(archive, tmp_path / "texts")


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(byte ^ 0x55 for byte in content[middle : middle + 20]) + content[middle + 20 :]


@pytest.mark.parametrize("pack", [zip_of, tar_of], ids=["zip", "tar"])
@pytest.mark.parametrize("damage", [damaged, lambda content: content[:-30]], ids=["damaged", "cut"])
def test_corrupt_archive(pack: Callable[..., Path], damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    archive = pack(tmp_path / "archive", {"a": os.urandom(5000)})
    archive.write_bytes(damage(archive.read_bytes()))
    assert "is not a sound zip, tar or tar.gz file" in refusal(archive, tmp_path / "texts")


@pytest.mark.parametrize("content", [b"", b"neither", b"PK\3\4", b"\x1f\x8b", b"\x1f\x8b\x08rest"])
def test_file_that_is_no_archive(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(content)
    assert "is not a sound zip, tar or tar.gz file" in refusal(tmp_path / "archive", tmp_path / "texts")


def test_archive_without_files(tmp_path: Path) -> None:
    assert "holds no files" in refusal(zip_of(tmp_path / "archive", {}), tmp_path / "texts")


def test_missing_archive(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot unpack .*missing\.zip into .*texts: no such file or directory; "):
        unpack(tmp_path / "missing.zip", tmp_path / "texts")
    assert list(tmp_path.iterdir()) == []
