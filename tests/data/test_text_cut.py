import pytest

from seqlab.data import text_cut
from seqlab.data.text_cut import Cut, cut_text, in_random_order, lines_and_lengths
from seqlab.text.line_reader import Unended

TEN = [f"line {number}\n" for number in range(10)]
PIECES = [Unended("aa bb"), " cc dd\n", "ee\n"]


def cut(lines: list[str], val: float, test: float, cleaning: str = "raw", tokens: str = "char") -> Cut:
    return cut_text(lambda: iter(lines), cleaning, tokens, val, test)


def parts(made: Cut) -> list[list[str]]:
    return [list(part()) for part in made.parts]


def test_the_line_ends_behind_the_borders_of_the_shares() -> None:
    exact = cut(TEN, 0.1, 0.2)  # 49 and 56 of 70 characters
    assert parts(exact) == parts(exact) == [TEN[:7], TEN[7:8], TEN[8:]]
    assert not exact.at_line_ends
    behind = cut(TEN, 0.25, 0.15)  # 42 and 59.5
    assert parts(behind) == [TEN[:6], TEN[6:9], TEN[9:]]
    assert behind.at_line_ends


def test_shares_of_none() -> None:
    assert parts(cut(TEN, 0, 0)) == [TEN, [], []]
    assert parts(cut(TEN, 0.5, 0)) == [TEN[:5], TEN[5:], []]
    assert parts(cut([], 0.1, 0.1)) == [[], [], []]


@pytest.mark.parametrize(
    ("tokens", "train", "val"),
    [
        ("char", "no line e", "nd "),
        ("word", "no line ", "end "),
        ("space", "no line ", "end "),
        ("bpe", "no line ", "end "),
    ],
)
def test_one_line_is_cut_at_the_nearest_border_of_a_token(tokens: str, train: str, val: str) -> None:
    made = cut(["no line end here"], 0.2, 0.25, tokens=tokens)  # 8.8 and 12 of 16 characters
    assert parts(made) == [[train], [val], ["here"]]
    assert not made.at_line_ends


def test_words_are_cut_where_runs_without_white_space_are_not() -> None:
    assert parts(cut(["one,two three"], 0, 0.7, tokens="word")) == [["one,"], [], ["two three"]]
    assert parts(cut(["one,two three"], 0, 0.7, tokens="space")) == [[], [], ["one,two three"]]


def test_shares_are_of_cleaned_characters_and_classic_loses_no_space_at_a_cut() -> None:
    made = cut(["No,  line"], 0, 0.5, "classic")  # 3.5 of the 7 of "no line"
    assert parts(made) == [["No,  l"], [], ["ine"]]


def test_a_line_in_pieces_is_one_line() -> None:
    first, _, last = parts(cut(PIECES, 0, 0.5))
    assert (first, last) == (PIECES[:2], PIECES[2:])
    assert [type(piece) for piece in first] == [Unended, str]


@pytest.mark.parametrize(
    ("test", "train", "rest"),
    [
        (0.5, [Unended("aa bb"), " c"], ["c dd\n", "ee\n"]),  # 7.5 of 15 characters
        (0.8, ["aa "], [Unended("bb"), " cc dd\n", "ee\n"]),  # 3
    ],
)
def test_an_over_long_line_is_cut_inside(
    test: float, train: list[str], rest: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_cut, "LONGEST_LINE", 4)
    first, _, last = parts(cut(PIECES, 0, test))
    assert [(type(piece), piece) for piece in first] == [(type(piece), piece) for piece in train]
    assert [(type(piece), piece) for piece in last] == [(type(piece), piece) for piece in rest]


def test_lengths_by_hand() -> None:
    assert list(lines_and_lengths(lambda: iter(PIECES), "raw")) == [(5, True), (7, False), (3, True)]
    assert list(lines_and_lengths(lambda: iter(["A-b!\n", "\n"]), "classic")) == [(3, True), (0, True)]
    assert list(lines_and_lengths(lambda: iter(["A-b!\n"]), "letters")) == [(4, True)]
    assert list(lines_and_lengths(lambda: iter(["Ab!\n"]), "spaced")) == [(5, True)]


def test_lines_in_a_random_order_are_all_there_and_always_in_the_same() -> None:
    lines = [f"line {row}\n" for row in range(50)]
    pieces = [*lines[:10], Unended("line"), " 10\n", *lines[11:-1], "line 49"]
    one, other = ([*in_random_order(lambda given=given: iter(given))()] for given in (lines, pieces))  # type: ignore[misc]
    assert one == other
    assert sorted(one) == sorted(lines)
    assert one != lines
