import os
import stat
from pathlib import Path

import pytest

from seqlab.files import remove_unfinished, whole_file


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
