from pathlib import Path

import pytest

from seqlab.cli.parser import Parser, values_of
from seqlab.errors import UserError


def test_the_last_of_both_forms_comes_last() -> None:
    words = ["--run=a", "--run", "b", "--seed", "1", "--run=c", "--run", "d"]
    assert values_of(words, "run") == ["a", "b", "c", "d"]


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


def test_names_are_checked_without_values() -> None:
    parser = Parser()
    parser.add_class_arguments(Sizes, "group")
    parser.add_argument("--list", type=list[int])
    parser.check_names(["word", "--group", "{}", "--group.size", "x", "--list+=3", "--later.any=1", "-h"], ["later"])
    for word, near in (("--group.siz", "--group.size"), ("--lsit", "--list"), ("--latre", "--later")):
        with pytest.raises(UserError, match=f"^unknown option {word}: did you mean '{near}'"):
            parser.check_names([word, "3"], ["later"])
