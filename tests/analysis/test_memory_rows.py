from pathlib import Path

import pytest

from seqlab.analysis.memory_rows import Row, RowFile
from seqlab.errors import UserError

ROW = Row("copy", "gru", 9, 1, 0.5, 1.25, 100, 3.0)
OPTIONS = {"lr": 0.005, "init": "orthogonal"}


def test_rows_are_in_the_file_at_once_and_come_back(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "of" / "rows.csv", OPTIONS)
    file.add(ROW)
    assert (tmp_path / "of" / "rows.csv").read_text() == (
        "task,model,length,seed,success,loss,steps,seconds,lr,init\ncopy,gru,9,1,0.5,1.25,100,3.0,0.005,orthogonal\n"
    )
    assert RowFile(tmp_path / "of" / "rows.csv", OPTIONS).rows == file.rows == [ROW]
    assert ROW.key == ("copy", "gru", 9, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", "is not a table of python -m seqlab.memory; give another --output"),
        ("copy,gru,9,1,0.5,1.25,100", "line 2 of .* is damaged; delete it to measure it again"),
        ("copy,gru,nine,1,0.5,1.25,100,3.0,0.005,orthogonal", "line 2 of .* is damaged"),
        ("copy,gru,9,1,0.5,1.25,100,3.0,0.01,orthogonal", "was measured with lr 0.01 and not 0.005; give that or"),
        ("\udcff", "cannot use .*rows.csv: "),
    ],
)
def test_files_that_cannot_be_gone_on_with(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "rows.csv"
    if not content.startswith("a,b"):
        RowFile(path, OPTIONS)
        content = path.read_text() + content
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(UserError, match=words):
        RowFile(path, OPTIONS)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(UserError, match="cannot use .*; name a folder that can be written as --output"):
        RowFile(tmp_path / "taken" / "rows.csv", OPTIONS)
