import errno
import io
from typing import Union

import pytest

from seqlab.cli.parser import Parser, integers_first, run_verb, values_of
from seqlab.errors import UserError


@pytest.mark.parametrize("annotation", [Union[float, int, None], Union[int, float, None], float | int | None])  # noqa: UP007
def test_a_whole_number_is_tried_before_a_share(annotation: object) -> None:
    assert str(integers_first(annotation)) == "int | float | None"


@pytest.mark.parametrize("annotation", [str | None, float, float | None, list[int]])
def test_other_types_stay_as_they_are(annotation: object) -> None:
    assert integers_first(annotation) is annotation


def test_the_last_of_both_forms_comes_last() -> None:
    words = ["--run=a", "--run", "b", "--seed", "1", "--run=c", "--run", "d"]
    assert values_of(words, "run") == ["a", "b", "c", "d"]


class FullDisk(io.StringIO):
    """A stream that holds nothing."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("lasting", [True, False])
def test_help_that_cannot_be_written_is_an_error(
    lasting: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout", FullDisk())
    assert run_verb(lambda argv: Parser(prog="verb").parse_args(argv) and None, ["--help"], lasting) == 2
    words = "seqlab: not all could be written: no space left on device; make room, and do it again\n"
    assert capsys.readouterr().err == words


def test_a_refusal_that_nobody_can_read_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: list[str]) -> None:
        raise UserError("no")

    monkeypatch.setattr("sys.stderr", FullDisk())
    assert run_verb(refuse, []) == 2
