import numpy as np
import pytest

from seqlab.data.series_files import SeriesLayout, filled, read_series
from seqlab.errors import UserError

PLAIN = "date,a,b\n2024-01-01,1,10\n2024-01-02,2,20\n2024-01-03,3,30\n"


def test_columns_are_found_out() -> None:
    (one,), step, layout = read_series(PLAIN, "f.csv", SeriesLayout())
    assert (layout.time, layout.columns, str(step)) == ("date", ["a", "b"], "daily")
    assert one.values.tolist() == [[1, 10], [2, 20], [3, 30]]
    assert (one.name, one.inserted, one.missing, one.left_out, one.ahead) == ("", 0, 0, 0, 0)


def test_columns_that_are_named() -> None:
    (one,), _, layout = read_series(PLAIN, "f.csv", SeriesLayout(["b"], ("a",)))
    assert one.values.tolist() == [[10], [20], [30]]
    assert one.known.tolist() == [[1], [2], [3]]
    assert layout.columns == ["b"]


@pytest.mark.parametrize("text", ["1\n2\n3\n", "x\n1\n2\n3\n"])
def test_numbers_alone(text: str) -> None:
    (one,), step, layout = read_series(text, "f.txt", SeriesLayout())
    assert layout.time is None
    assert one.values.tolist() == [[1], [2], [3]]
    assert one.times == [1.0, 2.0, 3.0]
    assert str(step) == "steps of 1"


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators(separator: str) -> None:
    (one,), _, _ = read_series(PLAIN.replace(",", separator), "f.csv", SeriesLayout())
    assert one.values.tolist() == [[1, 10], [2, 20], [3, 30]]


def test_several_series() -> None:
    text = "shop,day,sold\nx,1,5\ny,1,7\nx,2,6\ny,2,8\nx,3,9\n"
    (x, y), _, layout = read_series(text, "f.csv", SeriesLayout(id="shop"))
    assert (x.name, x.values.ravel().tolist()) == ("x", [5, 6, 9])
    assert (y.name, y.values.ravel().tolist()) == ("y", [7, 8])
    assert (layout.time, layout.columns) == ("day", ["sold"])


def test_missing_rows_and_values() -> None:
    text = "date,a\n2024-01-01,\n2024-01-02,2\n2024-01-03,NA\n2024-01-05,5\n2024-01-06,6\n"
    (one,), _, _ = read_series(text, "f.csv", SeriesLayout())
    assert (one.inserted, one.missing, one.left_out, one.ahead) == (1, 1, 1, 0)
    assert filled(one.values).ravel().tolist() == [2, 2, 2, 5, 6]


def test_rows_ahead() -> None:
    text = "date,a,promo\n2024-01-01,1,0\n2024-01-02,2,0\n2024-01-03,,1\n2024-01-04,,1\n"
    (one,), _, _ = read_series(text, "f.csv", SeriesLayout(known=("promo",)))
    assert (one.ahead, one.missing) == (2, 0)
    assert one.known.ravel().tolist() == [0, 0, 1, 1]


def test_filling_takes_the_value_before() -> None:
    nan = np.nan
    values = np.array([[1.0, 5.0], [nan, 6.0], [nan, nan], [4.0, 7.0]])
    assert filled(values).tolist() == [[1, 5], [1, 6], [1, 6], [4, 7]]


@pytest.mark.parametrize(
    ("text", "layout", "message"),
    [
        ("", SeriesLayout(), "f.csv holds no values; give a file with a row for each time"),
        ("a,b\n", SeriesLayout(), "f.csv holds names and no values"),
        ("a,a\n1,2\n", SeriesLayout(), "f.csv has two columns 'a'"),
        ("a,b\n1,2\n3\n", SeriesLayout(), "f.csv, line 3 has 1 cells, not 2"),
        ("a\n1\nx\n", SeriesLayout(), "f.csv, line 3: 'x' in the column 'a' is no finite number"),
        ("a\n1\ninf\n", SeriesLayout(), "f.csv, line 3: 'inf' in the column 'a' is no finite number"),
        (PLAIN, SeriesLayout(["c"]), "f.csv has no column 'c' for columns; choose one of a, b, date"),
        (PLAIN, SeriesLayout(["a"], ("a",)), "the column 'a' of f.csv has two meanings"),
        ("date,s,a\n2024-01-01,x,1\n2024-01-01,y,2\n", SeriesLayout(), "f.csv: the column 's' holds no numbers"),
        ("date,a\n2024-01-01,1\n2024-01-01,2\n", SeriesLayout(), "f.csv, line 3: the time 2024-01-01 00:00:00 does"),
        ("date,a\n2024-01-01,1\nsoon,2\n", SeriesLayout(), "f.csv, line 3: 'soon' is no time"),
        ("date,a\n2024-01-01,1\n2,2\n", SeriesLayout(), "f.csv has times of several kinds"),
        ("a,b\n1,\n2,\n", SeriesLayout(), "f.csv: the column 'b' holds no numbers"),
        ('a\n"1\n', SeriesLayout(), "f.csv, line 2 is not CSV"),
        ("a\n1\n", SeriesLayout(), "a series of one row has no step"),
    ],
)
def test_refusals(text: str, layout: SeriesLayout, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_series(text, "f.csv", layout)
    assert str(caught.value).startswith(message)
