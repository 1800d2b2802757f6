import errno
import io
from pathlib import Path
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", "0"], "--jobs 0 must be at least 1"),
        (["--group.jobs=0"], "--group.jobs 0 must be at least 1"),
        (["--jobs", "1"], "jobs 0 must be at least 1"),
        ([], "jobs 0 must be at least 1"),
    ],
)
def test_a_refusal_names_an_option_as_it_was_typed(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(arguments: list[str]) -> None:
        raise UserError("jobs 0 must be at least 1")

    assert run_verb(refuse, words) == 2
    assert capsys.readouterr().err == f"seqlab: {said}\n"


def test_a_path_that_leads_nowhere_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb(lambda words: Path(words[0]).stat() and None, ["x" * 5000]) == 2
    assert "' cannot be used: file name too long; give another path" in capsys.readouterr().err


class Sizes:
    """Takes sizes."""

    def __init__(self, size: int = 1, parts: list[int] | None = None) -> None:
        self.size, self.parts = size, parts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--group", "FILE"], "--group takes options, as --group.NAME VALUE; a file of them, under group:, is for"),
        (["--group.parts", "&a [*a]"], "the value of --group.parts holds *a within &a, which has no end"),
        (["--group.parts", "[" * 50 + "]" * 50], "the value of --group.parts is nested deeper than 20"),
        (["--group.parts", "FILE"], "--group.parts does not take"),
    ],
)
def test_no_file_and_no_endless_value_is_read_by_the_library(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("[1]")
    parser = Parser()
    parser.add_class_arguments(Sizes, "group", sub_configs=True)
    assert parser.parse_sentence(["--group", "{size: 3}", "--group.parts", "[4]"]).group.parts == [4]
    with pytest.raises(UserError) as refused:
        parser.parse_sentence([str(tmp_path / "a.yaml") if word == "FILE" else word for word in words])
    assert str(refused.value).startswith(said)
