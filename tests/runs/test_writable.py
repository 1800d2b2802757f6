import re
import sys
from pathlib import Path

import pytest

from seqlab.errors import UserError
from seqlab.runs.writable import check_file, check_folder


def test_what_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("text")
    for path in (tmp_path, tmp_path / "a" / "b"):
        check_folder(path)
    for file in (tmp_path / "there", tmp_path / "new", None, "/dev/null"):
        check_file(file)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "text"


def test_folders_that_cannot(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=rf"^cannot write to {re.escape(str(folder))}: .*not a directory; name a"):
            check_folder(folder)
    if sys.platform == "linux":
        with pytest.raises(UserError, match="^cannot write to /proc/new: /proc: "):
            check_folder(Path("/proc/new"))


def test_files_that_cannot(tmp_path: Path) -> None:
    way_out = "name a file in a folder that can be written"
    for file, reason in ((tmp_path, "is a directory"), (tmp_path / "no" / "where", "no such file or directory")):
        with pytest.raises(UserError, match=f"^cannot write {re.escape(str(file))}: {reason}; {way_out}$"):
            check_file(file)
