import json
from pathlib import Path

import pytest

from seqlab.metrics import Measure
from seqlab.runs.provenance import arithmetic
from seqlab.runs.result import told, write_result


def test_measures_as_plain_values() -> None:
    measure = Measure("macro F1", "{:.2%}", "higher", of_loss=float)
    assert told({"f1": measure}) == {"f1": {"title": "macro F1", "form": "{:.2%}", "better": "higher"}}


def test_a_result_says_what_computed_it(tmp_path: Path) -> None:
    write_result(tmp_path, {"steps": 3})
    assert json.loads((tmp_path / "result.json").read_text()) == {"steps": 3, "arithmetic": arithmetic()}


def test_what_was_reached_is_not_lost_with_an_exception(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_result(tmp_path / "gone", {"steps": 3})
    said = capsys.readouterr().err
    assert said == f"seqlab: cannot write {tmp_path}/gone/result.json: no such file or directory\n"
