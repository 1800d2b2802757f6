import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from seqlab.errors import UserError
from seqlab.text.clean import CLEANERS, clean_lines

DATA = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
MIXED = "  It's\n\nthe 1st\tDAY.\n--\n\nAnd é so\n"


@pytest.fixture
def time_machine() -> list[str]:
    path = DATA / "timemachine.txt"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


@pytest.mark.parametrize(
    ("cleaning", "cleaned"),
    [("classic", "it s a nd day"), ("letters", " it s a nd day "), ("raw", "  It's a 2nd DAY.\n")],
)
def test_one_line(cleaning: str, cleaned: str) -> None:
    assert CLEANERS[cleaning]("  It's a 2nd DAY.\n") == cleaned


def test_classic_runs_words_together_at_line_joints() -> None:
    assert "".join(clean_lines(["the time\n", "\n", " Traveller.\n"], "classic")) == "the timetraveller"


def test_letters_puts_one_space_at_line_joints() -> None:
    assert list(clean_lines(["the time,\n", "\n", " Traveller.\n"], "letters")) == ["the time", " traveller", " "]


@pytest.mark.parametrize("text", [MIXED, MIXED.strip(), "", "\n", "a", "1\n2\n", "a\n\n", "\na"])
def test_letters_by_line_is_letters_of_the_whole(text: str) -> None:
    whole = re.sub("[^a-z]+", " ", text.lower())
    assert "".join(clean_lines(text.splitlines(keepends=True), "letters")) == whole


def test_letters_separates_lines_that_lost_their_ends() -> None:
    assert "".join(clean_lines(["ab", "", "cd"], "letters")) == "ab cd"


def test_raw_changes_nothing_but_line_ends() -> None:
    assert "".join(clean_lines(["É \r\n", "\t😀\r", "x"], "raw")) == "É \n\t😀\nx"


def test_lines_are_cleaned_one_at_a_time() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "line\n"

    for cleaning in CLEANERS:
        assert "line" in next(clean_lines(endless(), cleaning)).strip()


def test_unknown_cleaning_is_named() -> None:
    with pytest.raises(UserError, match=r"^unknown cleaning 'clasic'; did you mean 'classic'\?$"):
        clean_lines([], "clasic")


def test_time_machine(time_machine: list[str]) -> None:
    classic = list(clean_lines(time_machine, "classic"))
    letters = "".join(clean_lines(time_machine, "letters"))
    assert len("".join(classic)) == 170_580
    assert len(letters) == 173_428
    assert letters == re.sub("[^a-z]+", " ", "".join(time_machine).lower())
    assert letters.split() == " ".join(classic).split()
    assert "".join(clean_lines(time_machine, "raw")) == "".join(time_machine)
