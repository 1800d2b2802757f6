import os
from pathlib import Path

import pytest
from filelock import FileLock

from seqlab.data import encoded
from seqlab.data.encoded import cache_folder, kept
from seqlab.errors import UserError

SIZE = 10


def keep(cache: Path, name: str) -> bytes:
    """A folder of one file whose content tells when it was written."""

    def write(folder: Path) -> None:
        folder.mkdir()
        (folder / "ids").write_bytes(name.encode() * SIZE)

    return kept(cache, name, write, lambda folder: (folder / "ids").read_bytes())


def folders(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.is_dir()}


def test_what_was_written_is_read_from_then_on(tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "cache"
    assert keep(cache, "a") == b"a" * SIZE
    (cache / "a" / "ids").write_bytes(b"other")
    os.utime(cache / "a", (1, 1))
    assert keep(cache, "a") == b"other"
    assert (cache / "a").stat().st_mtime > 1


def test_those_unread_for_the_longest_time_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded, "KEPT_BYTES", 3 * SIZE)
    for time, name in enumerate("abc"):
        keep(tmp_path, name)
        os.utime(tmp_path / name, (1000 + time, 1000 + time))
    assert folders(tmp_path) == {*"abc"}
    keep(tmp_path, "a")
    keep(tmp_path, "d")
    assert folders(tmp_path) == {*"acd"}


def test_one_that_is_larger_than_all_that_may_be_kept_is_kept_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "KEPT_BYTES", SIZE - 1)
    keep(tmp_path, "a")
    keep(tmp_path, "b")
    assert folders(tmp_path) == {"b"}


def test_what_was_left_unfinished_goes_after_a_day_unless_it_is_still_written(tmp_path: Path) -> None:
    for name, written in {"old.part": 1, "held.part": 1, "new.part": None}.items():
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, written and (written, written))
    with FileLock(tmp_path / "held.lock"):
        keep(tmp_path, "a")
    assert folders(tmp_path) == {"held.part", "new.part", "a"}


def test_a_cache_that_cannot_be_written_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = rf"^cannot keep the encoded text in {tmp_path}/file: .*; name a folder .* as XDG_CACHE_HOME$"
    with pytest.raises(UserError, match=words):
        keep(tmp_path / "file", "a")


def test_the_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "seqlab" / "encoded"
