import bz2
import gzip
import lzma
import os
import stat
import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from socket import AF_UNIX, socket

import pytest

from seqlab.files import (
    open_plain,
    open_regular,
    read_plain,
    read_stream_or_regular,
    real_path,
    remove_unfinished,
    user_path,
    whole_file,
)


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_file_cut_short_does_not_appear(error: type[BaseException], tmp_path: Path) -> None:
    def cut_short() -> None:
        with whole_file(tmp_path / "file") as file:
            file.write(b"the first half")
            raise error

    with pytest.raises(error):
        cut_short()
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(error):
        cut_short()
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("path", ["folder", "no/where", "."])
def test_where_no_file_can_be(path: str, here: Path) -> None:
    (here / "folder").mkdir()
    with pytest.raises(OSError), whole_file(Path(path)) as file:
        file.write(b"new")
    assert os.listdir(here) == ["folder"]


def test_others_may_read_what_they_may_read_of_any_file(tmp_path: Path) -> None:
    with whole_file(tmp_path / "file") as file:
        file.write(b"new")
    (tmp_path / "any").touch()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "any")]
    assert modes[0] == modes[1]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = whole_file(tmp_path / "last.ckpt")
    left.__enter__()
    (tmp_path / "last.ckpt").touch()
    assert len(os.listdir(tmp_path)) == 2
    remove_unfinished(tmp_path)
    assert os.listdir(tmp_path) == ["last.ckpt"]
    remove_unfinished(tmp_path / "never made")


@pytest.mark.parametrize("name", ["pipe", "socket", "/dev/zero", "/dev/null", "folder"])
def test_what_has_no_end_is_not_read(name: str, here: Path) -> None:
    os.mkfifo("pipe")
    Path("folder").mkdir()
    with socket(AF_UNIX) as bound:
        bound.bind("socket")
        with pytest.raises(OSError):
            open_regular(name)


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(here: Path) -> None:
    os.mkfifo("pipe")
    with pytest.raises(OSError, match="a pipe that gives nothing"):
        read_stream_or_regular("pipe")


def test_a_pipe_is_read_to_its_end_and_no_further_than_allowed(here: Path) -> None:
    for content, most in ((b"some words", 10), (b"some words", 9)):
        reading, writing = os.pipe()
        os.write(writing, content)
        os.close(writing)
        if most == 10:
            assert read_stream_or_regular(f"/dev/fd/{reading}", most) == content
        else:
            with pytest.raises(OSError, match="holds more than 9 bytes"):
                read_stream_or_regular(f"/dev/fd/{reading}", most)
        os.close(reading)


@pytest.mark.parametrize("name", [None, "-", "/dev/stdin"])
def test_the_standard_input_is_bounded(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"some words")))
    assert read_stream_or_regular(name) == b"some words"
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"some words")))
    with pytest.raises(OSError, match="holds more than 3 bytes"):
        read_stream_or_regular(name, 3)


def test_a_gz_file_that_unzips_to_far_more_than_text_does(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.files.LARGEST_ZIPPED", 1000)
    Path("text.gz").write_bytes(gzip.compress(b"some words\n" * 50))
    assert read_plain(Path("text.gz")) == b"some words\n" * 50
    Path("bomb.gz").write_bytes(gzip.compress(bytes(10**7)))
    with pytest.raises(OSError, match="it holds more than"):
        read_plain(Path("bomb.gz"))
    Path("half.gz").write_bytes(gzip.compress(b"some words" * 50)[:20])
    with pytest.raises(OSError, match=r"not soundly compressed"):
        read_plain(Path("half.gz"))


def test_devices_and_pipes_are_written_to_as_they_stand(here: Path) -> None:
    with whole_file(Path("/dev/null")) as file:
        file.write(b"words")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError, match="No space left"), whole_file(Path("/dev/full")) as file:
        file.write(b"words")
    os.mkfifo("pipe")
    with pytest.raises(OSError), whole_file(Path("pipe")):
        pass  # nobody reads it
    assert Path("pipe").is_fifo()


def test_what_the_system_says_of_itself_is_no_file_that_ends() -> None:
    with pytest.raises(OSError, match="it is what the system says of itself, not a file that ends"):
        open_regular("/proc/self/status")


@pytest.mark.parametrize("press", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_text_is_bounded_as_it_is_read(press: Callable[[bytes], bytes], here: Path) -> None:
    ending = {gzip.compress: "gz", bz2.compress: "bz2", lzma.compress: "xz"}[press]
    sound, bomb = Path(f"sound.txt.{ending}"), Path(f"bomb.txt.{ending}")
    sound.write_bytes(press(b"some words\n" * 1000))
    with open_plain(sound) as file:
        assert file.readline() == b"some words\n"
        assert sum(1 for _ in file) == 999
    bomb.write_bytes(press(bytes(2**22)) * 9)
    with pytest.raises(OSError, match="it holds more than 33,554,432 bytes"), open_plain(bomb) as file:
        sum(1 for _ in iter(lambda: file.read(2**16), b""))


def test_links_in_a_circle_lead_nowhere_and_raise_nothing(here: Path) -> None:
    loop = here / "loop"
    loop.symlink_to(loop)
    assert real_path(loop).name == "loop"
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(loop)


def test_a_home_folder_is_found_and_an_unknown_users_path_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert user_path("~/a.txt") == Path("/somewhere/a.txt")
    assert user_path("~no_such_user/a.txt") == Path("~no_such_user/a.txt")
