import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from seqlab.native.store import stored


class Builder:
    """Builds a library of some bytes, and counts."""

    def __init__(self, content: bytes = b"a library") -> None:
        self.content, self.built = content, 0

    def __call__(self, scratch: Path) -> Path:
        assert not [*scratch.iterdir()]
        self.built += 1
        (scratch / "native.so").write_bytes(self.content)
        return scratch / "native.so"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "native"


def test_it_is_built_once_in_a_private_folder(folder: Path) -> None:
    build = Builder()
    first, second = stored(folder, "abc", build), stored(folder, "abc", build)
    assert (first, build.built, first.read_bytes()) == (second, 1, b"a library")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == [first.name]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_one_cut_short_is_built_anew(folder: Path, share: float) -> None:
    build = Builder(bytes(range(256)) * 40)
    library = stored(folder, "abc", build)
    library.write_bytes(build.content[: int(len(build.content) * share)])
    assert stored(folder, "abc", build).read_bytes() == build.content
    assert build.built == 2


def test_one_changed_bit_and_a_link_are_noticed(folder: Path, tmp_path: Path) -> None:
    build = Builder()
    library = stored(folder, "abc", build)
    library.write_bytes(b"b library")
    stored(folder, "abc", build)
    shutil.move(library, tmp_path / "moved.so")
    library.symlink_to(tmp_path / "moved.so")
    assert not stored(folder, "abc", build).is_symlink()
    assert build.built == 3


def test_other_sources_are_another_library(folder: Path) -> None:
    build = Builder()
    assert stored(folder, "abc", build) != stored(folder, "abd", build)
    assert build.built == 2


def test_what_dead_builders_left_is_removed(folder: Path) -> None:
    stored(folder, "abc", Builder())
    (folder / "building-dead").mkdir()
    (folder / "building-dead" / "half.o").touch()
    stored(folder, "abc", Builder())
    assert len([*folder.iterdir()]) == 1


def test_a_builder_that_fails_leaves_nothing(folder: Path) -> None:
    def build(scratch: Path) -> Path:
        (scratch / "half.o").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        stored(folder, "abc", build)
    assert not [*folder.iterdir()]


def test_a_folder_that_others_can_replace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(PermissionError, match="others can write to .*open, and so replace"):
        stored(tmp_path / "open" / "native", "abc", Builder())


def test_a_folder_of_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = Builder()
    stored(folder, "abc", build)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(PermissionError, match="belongs to another user; nothing in it is run"):
        stored(folder, "abc", build)


def test_an_open_folder_of_ones_own_is_shut_and_what_is_in_it_not_believed(folder: Path) -> None:
    library = stored(folder, "abc", Builder(b"planted, named after its bytes"))
    folder.chmod(0o777)
    assert stored(folder, "abc", build := Builder()) != library
    assert (build.built, folder.stat().st_mode & 0o777) == (1, 0o700)
    assert not library.exists()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_library_cut_short_is_loaded_whole(folder: Path) -> None:
    def build(scratch: Path) -> Path:
        (scratch / "three.c").write_text("int three(void) { return 3; }")
        built = scratch / "native.so"
        subprocess.run(["cc", "-shared", "-fPIC", scratch / "three.c", "-o", built], check=True)
        return built

    library = stored(folder, "abc", build)
    os.truncate(library, library.stat().st_size // 2)
    assert ctypes.CDLL(str(stored(folder, "abc", build))).three() == 3
