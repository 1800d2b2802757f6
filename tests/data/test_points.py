from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqlab.data.points import PointsData
from seqlab.data.points_batches import Points
from seqlab.data.points_input import read_inputs
from seqlab.errors import UserError
from seqlab.text.any_codec import codec_of
from seqlab.text.points_codec import PointsCodec
from seqlab.text.series_codec import Scale


def file(folder: Path, lines: Sequence[str], name: str = "f.csv") -> str:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def table(rows: int = 20) -> list[str]:
    return ["a,b,y", *(f"{row},{row % 7},{3 * row - row % 7}" for row in range(rows))]


@pytest.mark.parametrize(
    ("lines", "columns", "target", "first"),
    [
        (table(), ["a", "b"], "y", [0.0, 0.0, 0.0]),
        (table()[1:], ["1", "2"], "3", [0.0, 0.0, 0.0]),
        ([row.replace(",", "\t") for row in table()], ["a", "b"], "y", [0.0, 0.0, 0.0]),
        ([row.replace(",", ";") for row in table()], ["a", "b"], "y", [0.0, 0.0, 0.0]),
        (["name,a,y", *(f"n{row},{row},{row}" for row in range(5))], ["a"], "y", [0.0, 0.0]),
        ([",a,y", *(f"{row},{row + 1},{row}" for row in range(5))], ["a"], "y", [1.0, 0.0]),
    ],
    ids=["names", "no names", "tabs", "semicolons", "words", "numbered rows"],
)
def test_columns_are_found(
    tmp_path: Path, lines: list[str], columns: list[str], target: str, first: list[float]
) -> None:
    data = PointsData(file(tmp_path, lines), val_fraction=0.0, test_fraction=0.0)
    assert (data.codec.columns, data.codec.target) == (columns, target)
    assert [*data.features("train")[0], data.targets("train")[0]] == first


def test_columns_by_name_and_by_number(tmp_path: Path) -> None:
    path = file(tmp_path, table())
    one, other = PointsData(path, columns="b", target_column="a"), PointsData(path, columns=["2"], target_column=1)
    assert one.codec == other.codec
    assert (one.codec.columns, one.codec.target, one.codec.layout) == (["b"], "a", ["a", "b", "y"])


def test_rows_that_lack_a_value_are_left_out(tmp_path: Path) -> None:
    data = PointsData(file(tmp_path, [*table(), ",1,2", "1,?,2", "1,2,NA"]))
    assert "3 rows that lack a value left out" in data.describe()
    assert data.num_items() == 14


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["yes", "no"], ["no", "yes"]),
        (["1", "0.0", "1.0", "0"], ["0", "1"]),
        (["10", "9"], ["9", "10"]),
        (["-1", "1"], ["-1", "1"]),
    ],
)
def test_two_values_are_classes(tmp_path: Path, cells: list[str], classes: list[str]) -> None:
    data = PointsData(file(tmp_path, [f"{row},{cells[row % len(cells)]}" for row in range(40)]))
    assert data.codec.classes == classes
    assert {*data.targets("train")} == {0.0, 1.0}
    assert data.codec.target_scale == Scale.none(1)
    for split in ("train", "val", "test"):
        assert data.targets(split).mean() == pytest.approx(0.5, abs=0.02)


def test_two_numbers_may_be_numbers(tmp_path: Path) -> None:
    path = file(tmp_path, ["x,y", "1,2", "2,4"])
    data = PointsData(path, kind="numbers", val_fraction=0.0, test_fraction=0.0)
    assert data.codec.classes is None
    assert [*data.targets("train")] == [2.0, 4.0]


def test_standard_scores_are_of_the_training_part(tmp_path: Path) -> None:
    data = PointsData(file(tmp_path, table(100)))
    train = data.points("train")
    assert train.features.mean(0) == pytest.approx([0, 0], abs=1e-6)
    assert train.features.std(0) == pytest.approx([1, 1], abs=1e-6)
    assert (train.targets.mean(), train.targets.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    assert abs(data.points("test").features.mean()) > 1e-3
    plain = PointsData(file(tmp_path, table(100)), scaling="none")
    assert plain.points("train").features == pytest.approx(plain.features("train"))
    assert plain.points("train").targets == pytest.approx(plain.targets("train"))


def test_parts_are_cut_by_what_rows_hold(tmp_path: Path) -> None:
    lines = table(200)
    one = PointsData(file(tmp_path, lines))
    other = PointsData(file(tmp_path, [lines[0], *lines[:0:-1]], "g.csv"))
    assert [len(one.targets(split)) for split in ("train", "val", "test")] == [140, 20, 40]
    for split in ("train", "val", "test"):
        assert {*one.inputs(split)} == {*other.inputs(split)}
    folds = [PointsData(file(tmp_path, lines), folds=4, fold=fold).inputs("test") for fold in range(4)]
    assert len({row for part in folds for row in part}) == sum(map(len, folds)) == 200


def test_parts_with_files_of_their_own(tmp_path: Path) -> None:
    path, other = file(tmp_path, table(30)), file(tmp_path, ["b,y,a", "1,2,3"], "other.csv")
    data = PointsData(path, val_path=other, test_path=path)
    assert data.num_items() == 30
    assert (data.inputs("val"), data.targets("val").tolist()) == (["3.0,1.0"], [2.0])
    assert data.inputs("test") == data.inputs("train")


def test_without_a_file_the_truth_is_known() -> None:
    data, two = PointsData(), PointsData(kind="two")
    features = data.features("train")
    assert data.targets("train") - features @ [2, -3.4] - 4.2 == pytest.approx(0, abs=0.05)
    assert two.codec.classes == ["blue", "red"]
    assert data.describe().startswith("700 rows to train on, 100 to validate on, 200 to test on, y from 2 features")


def test_batches_are_a_function_of_epoch_and_index() -> None:
    batches = PointsData(batch_size=300, seed=3).train_batches(PointsData().shard())
    rows = [batches.batch(1, index).items.tolist() for index in range(len(batches))]
    assert sorted(row for part in rows for row in part) == [*range(700)]
    assert sorted(map(len, rows)) == [100, 300, 300]
    assert rows == [batches.batch(1, index).items.tolist() for index in range(len(batches))]
    assert rows != [batches.batch(2, index).items.tolist() for index in range(len(batches))]
    points = Points(np.arange(6, dtype=np.float32).reshape(3, 2), np.arange(3, dtype=np.float32))
    batch = points.batch(np.array([2, 0]), np.array([True, False]))
    assert (batch.features.tolist(), batch.targets.tolist()) == ([[4, 5], [0, 1]], [2, 0])
    assert (batch.valid.tolist(), batch.items.tolist()) == ([True, False], [2, 0])


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ([*table(), "x3,1,2"], {}, "FILE, line 22: 'x3' in the column 'a' is no finite number; mend it"),
        ([*table(), "inf,1,2"], {}, "FILE, line 22: 'inf' in the column 'a' is no finite number; mend it"),
        ([*table(), "1,1,abc"], {}, "FILE, line 22: 'abc' in the target 'y' is no finite number; mend it, or leave"),
        ([*table(), "1,1"], {}, "FILE, line 22 has 2 cells, not 3 as the first; mend the line"),
        (
            ["a,y", *(f"{n},{'xyz'[n % 3]}" for n in range(9))],
            {},
            "the target 'y' has 3 different values (x, y, z), and",
        ),
        (["a,y", "1,5", "2,5"], {}, "the target 'y' is 5 in every row, and there is nothing to learn; name another"),
        (["a,y", "1,5"], {}, "the target 'y' is 5 in every row"),
        (["a,y", ",5", "1,"], {}, "no row has a value in every column that is read; fill them"),
        (["a,y"], {}, "FILE holds names and no values; give a row for each point"),
        ([""], {}, "FILE holds no values; give a file with a row for each point"),
        (["y", "1", "2"], {}, "FILE has one column, and a feature and a target take two; give a file of points"),
        (["n,y", "u,1", "v,2", "w,3"], {}, "FILE has no column of numbers beside the target 'y'; give one, or name"),
        (["a,y", "1e200,1", "2,5", "3,2"], {"val_fraction": 0.0}, "the column 'a' holds numbers that are too large"),
        (table(), {"target_column": "z"}, "FILE has no column 'z' for target_column; choose one of a, b, y"),
        (table(), {"target_column": 4}, "target_column 4 is none of the 3 columns of FILE; give 1 to 3"),
        (table(), {"columns": "a,c"}, "FILE has no column 'c' for columns; choose one of a, b, y"),
        (table(), {"columns": "a,y"}, "the column 'y' of FILE has two meanings; name it once"),
        (table(), {"columns": ","}, "--data.columns names no column; give the features between commas"),
        (table(), {"kind": "two"}, "the target 'y' has 20 different values (0, 2, 4, ...), and a regression predicts"),
        (table(), {"kind": "three"}, "unknown kind 'three': choose one of numbers, two"),
        (table(), {"scaling": "standart"}, "unknown scaling 'standart': did you mean 'standard'?"),
        (table(), {"batch_size": 0}, "batch_size 0 must be a whole number of at least 1"),
        (table(), {"folds": 21}, "folds 21 are more than the 20 different rows; give fewer"),
        (table(), {"val_fraction": 1.0}, "val_fraction 1.0 and test_fraction 0.2 must be at least 0 and sum below 1"),
        (table(3), {}, "val_fraction 0.1 of 3 rows leaves the val part empty; give more"),
        (
            table(2),
            {"kind": "numbers", "val_fraction": 0.5, "test_fraction": 0.0},
            "the training part has 1 rows and fewer than two values of 'y'; give more rows, or lower",
        ),
        (None, {"columns": "a"}, "--data.columns and --data.target_column need a file; name one with --data.path"),
        (None, {"val_path": "v.csv"}, "val_path names points, and none are there to train on; give --data.path too"),
    ],
)
def test_refusals(tmp_path: Path, lines: list[str] | None, options: dict[str, Any], message: str) -> None:
    path = None if lines is None else file(tmp_path, lines)
    with pytest.raises(UserError) as caught:
        PointsData(path, **options)
    assert str(caught.value).startswith(message.replace("FILE", str(path)))


def test_another_file_has_the_values_of_the_checkpoint(tmp_path: Path) -> None:
    data = PointsData(file(tmp_path, [f"{row},{'no' if row % 3 else 'yes'}" for row in range(40)]))
    same = PointsData(
        file(tmp_path, ["1,no"] * 2 + ["2,yes"] * 2), codecs=data.codecs, val_fraction=0.0, test_fraction=0.0
    )
    assert same.targets("train").tolist() == [0, 0, 1, 1]
    with pytest.raises(UserError, match="line 3: 'maybe' in the target '2' is neither no nor yes, which are its two"):
        PointsData(file(tmp_path, ["1,no", "2,yes", "2,maybe"]), codecs=data.codecs)


CODEC = PointsCodec(["a", "b"], "y", ["a", "n", "b", "y"], True, Scale([1.0, 2.0], [2.0, 4.0]), Scale([5.0], [3.0]))


def test_the_codec_is_kept_as_plain_values() -> None:
    assert codec_of(CODEC.state()) == CODEC


def test_weights_in_units() -> None:
    rows = np.array([[3.0, 7.0], [-1.0, 0.5]])
    weights = np.array([0.5, -2.0, 0.25])
    said = CODEC.target_scale.unscaled(CODEC.scale.scaled(rows) @ weights[:2] + weights[2])
    *slopes, intercept = CODEC.in_units(weights)
    assert rows @ slopes + intercept == pytest.approx(said.tolist())


@pytest.mark.parametrize(
    "lines", [["1,2", "3,4"], ["1,x,2,9", "3,x,4,9"], ["b,a", "2,1", "4,3"], ["y;b;a", ";2;1", "?;4;3"]]
)
def test_inputs_are_read_by_name_or_in_order(lines: list[str]) -> None:
    if lines[0].count("x"):
        lines = [line.replace("x", "0") for line in lines]
    assert read_inputs(lines, CODEC).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1"], "the input has 1 numbers in a row and the model reads 2 (a, b); give these, or a first line with"),
        (["a,c", "1,2"], "the input has no column 'b'; choose one of a, c"),
        (["1,2", "1,u"], "the input, line 2: 'u' in the column 'b' is no finite number"),
        (["a,b", "1,2", "1,"], "the input, line 3 has no value of 'b'; the model reads a, b"),
    ],
)
def test_inputs_are_refused(lines: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_inputs(lines, CODEC)
    assert str(caught.value).startswith(message)
