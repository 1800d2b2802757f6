import errno
import io
from pathlib import Path

import pytest

from seqlab.cli.parser import Parser
from seqlab.cli.process import run_verb
from seqlab.errors import UserError


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
