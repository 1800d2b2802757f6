from pathlib import Path

import numpy as np
import pytest

from seqlab.comparison.items import in_order, number_of, read_items, same_items, together, write_items


def test_a_file_of_items(tmp_path: Path) -> None:
    columns = {"item": ["a\tb", "c\\nd\ne"], "correct": [True, False], "nats": [0.5, 1e-20]}
    write_items(tmp_path / "items.tsv", columns)
    assert (tmp_path / "items.tsv").read_text() == "item\tcorrect\tnats\na\\tb\t1\t0.5\nc\\\\nd\\ne\t0\t1e-20\n"
    read = read_items(tmp_path / "items.tsv")
    assert read["item"].tolist() == ["a\tb", "c\\nd\ne"]
    assert read["correct"].dtype == read["nats"].dtype == np.float64
    assert read["correct"].tolist() == [1.0, 0.0]
    assert read["nats"].tolist() == [0.5, 1e-20]


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ([7, 12], [7.0, 12.0]),
        (["7", "12"], ["7", "12"]),
        (["7", "a"], ["7", "a"]),
        (["007", "12"], ["007", "12"]),  # digits are told apart by their zeros
        (["", "12"], ["", "12"]),
        (["\r\u2028", ""], ["\r\u2028", ""]),
        ([np.float64(0.25), -3], [0.25, -3.0]),
        ([float("inf"), float("-inf")], [float("inf"), float("-inf")]),
        ([1e22, 2e-7], [1e22, 2e-7]),
    ],
)
def test_what_a_column_becomes(values: list[object], meant: list[object], tmp_path: Path) -> None:
    write_items(tmp_path / "items.tsv", {"one": values})
    assert read_items(tmp_path / "items.tsv")["one"].tolist() == meant


def test_no_items(tmp_path: Path) -> None:
    write_items(tmp_path / "items.tsv", {"item": [], "nats": []})
    read = read_items(tmp_path / "items.tsv")
    assert [*read] == ["item", "nats"]
    assert number_of(read) == 0


def test_columns_of_unlike_lengths_are_no_items(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_items(tmp_path / "items.tsv", {"item": ["a", "b"], "nats": [1.0]})
    assert not list(tmp_path.iterdir())


def test_parts_together_in_the_order_of_their_names() -> None:
    parts = [
        {"item": np.array([3.0, 1.0]), "nats": np.array([30.0, 10.0])},
        {"item": np.array([2.0]), "nats": np.array([20.0])},
    ]
    columns = in_order(together(parts))
    assert columns["item"].tolist() == [1.0, 2.0, 3.0]
    assert columns["nats"].tolist() == [10.0, 20.0, 30.0]


def test_names_that_are_numbers_in_one_part_alone() -> None:
    text = {"item": np.array(["a", "2"], dtype=object)}
    assert together([text, {"item": np.array([3.0])}])["item"].tolist() == ["a", "2", "3"]


def test_items_of_one_name_stay_as_they_came() -> None:
    columns = {"item": np.array(["b", "a", "b"], dtype=object), "nats": np.array([1.0, 2.0, 3.0])}
    assert in_order(columns)["nats"].tolist() == [1.0, 2.0, 3.0]


def test_the_same_items() -> None:
    one = {"item": np.array(["a", "b"], dtype=object)}
    assert same_items(one, {"item": np.array(["a", "b"], dtype=object)})
    assert not same_items(one, {"item": np.array(["b", "a"], dtype=object)})
    assert not same_items(one, {"item": np.array([1.0])})
    assert not same_items(one, {"nats": np.array([1.0, 2.0])})
