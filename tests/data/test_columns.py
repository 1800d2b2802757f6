from collections.abc import Sequence

import pytest

from seqlab.data.columns import Column, Places, Row, find_columns, is_header
from seqlab.errors import UserError


def found(
    cells: Sequence[list[str]],
    head: list[str] | None = None,
    text: Column = None,
    second: Column = None,
    label: Column = None,
) -> tuple[int, int | None, int]:
    rows = [Row(number, each) for number, each in enumerate(cells, 1)]
    return tuple(find_columns("f.tsv", head, rows, text, second, label))


@pytest.mark.parametrize(
    ("cells", "known"),
    [
        (["Label", " Review "], True),
        (["id", "topic", "text"], True),
        (["label", "words"], False),
        (["good", "a fine film"], False),
    ],
)
def test_a_header_names_a_text_and_a_label(cells: list[str], known: bool) -> None:
    assert is_header(cells) == known


THREE = [["1", "a b", "x"], ["2", "c", "y"]]
NAMED = ["id", "sentence", "class"]


@pytest.mark.parametrize(
    ("cells", "options", "places"),
    [
        ([["pos", "good film"], ["pos", "nice"]], {}, (1, None, 0)),  # fewer distinct values
        ([["good film", "a"], ["bad film", "b"]], {}, (0, None, 1)),  # as many, but shorter ones
        ([["a", "b"]], {"label": 2}, (0, None, 1)),
        (THREE, {"head": NAMED}, (1, None, 2)),
        (THREE, {"head": NAMED, "text": "id"}, (0, None, 2)),
        (THREE, {"text": 2, "label": "3"}, (1, None, 2)),
        (THREE, {"head": NAMED, "text": "id", "second": "sentence"}, (0, 1, 2)),
        (THREE, {"head": ["1", "2", "3"], "text": 3, "label": "1"}, (2, None, 0)),  # names that are numbers
    ],
)
def test_places_of_columns(
    cells: list[list[str]], options: dict[str, object], places: tuple[int, int | None, int]
) -> None:
    assert found(cells, **options) == Places(*places)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "options", "words"),
    [
        (THREE, {}, "f.tsv has 3 columns; say which hold the text and the label with --data.text_column and"),
        (THREE, {"text": 4, "label": 1}, "text_column 4 is none of the 3 columns of f.tsv; give 1 to 3"),
        (THREE, {"text": 0, "label": 1}, "text_column 0 is none of the 3 columns"),
        (THREE, {"head": NAMED, "label": "clas"}, "f.tsv has no column 'clas' for label_column; did you mean 'class'"),
        (THREE, {"text": 1, "label": 1}, "text_column, second_text_column and label_column must be different columns"),
        ([["a"]], {}, "f.tsv has one column, and a text and a label take two"),
        ([["a", "b"], ["c"]], {}, "f.tsv, line 2 has 1 column, not 2 as the first; mend the line, or say another"),
    ],
)
def test_columns_that_cannot_be(cells: list[list[str]], options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=f"^{words}"):
        found(cells, **options)  # type: ignore[arg-type]
