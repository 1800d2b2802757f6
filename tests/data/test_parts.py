from pathlib import Path
from typing import Any

import pytest

from seqlab.data.data_module import DataModule
from seqlab.data.labelled import LabelledData
from seqlab.data.parallel import ParallelData
from seqlab.data.parts import HeldOut, files_of
from seqlab.data.series import SeriesData
from seqlab.data.tagged import TaggedData
from seqlab.data.text import TextData
from seqlab.errors import UserError


def test_files_of_the_parts_that_have_some() -> None:
    assert files_of("a", None, ["b", "~/c"]) == {"train": [Path("a")], "test": [Path("b"), Path.home() / "c"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((-0.1, 0.1), "val_fraction -0.1 and test_fraction 0.1 must be at least 0 and sum below 1"),
        ((0.5, 0.5), "val_fraction 0.5 and test_fraction 0.5 must be at least 0 and sum below 1"),
        ((0.0, 0.0, 1), "folds 1 must be a whole number of at least 2, or left out"),
        ((0.0, 0.0, 3, 3), "fold 3 is none of the folds; choose one of 0 to 2"),
        ((0.0, 0.0, None, 1), "fold 1 is none of the folds; give --data.folds too"),
        ((0.0, 0.0, 3, 0, None, "t"), "folds 3 cut the test part and test_path names one; leave one of the two out"),
    ],
)
def test_what_cannot_be_held_out(options: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError) as caught:
        HeldOut(*options)
    assert str(caught.value) == message


def test_shares_mean_nothing_where_items_are_given() -> None:
    assert HeldOut(0.9, 0.9, val_path="a", test_path="b").shares({"val", "test"}) == (0, 0)
    assert HeldOut(0.2, 0.9, folds=3).shares() == (0.2, 0)
    assert HeldOut(0.2, 0.3).shares({"val"}) == (0, 0.3)


LINES: dict[type[DataModule], str] = {
    TextData: "{0}",
    ParallelData: "source {0}\ttarget {0}\n",
    LabelledData: "good text {0}\tgood\nbad text {0}\tbad\n",
    TaggedData: "word{0}\tX\nother{0}\tY\n\n",
    SeriesData: "2020-01-{0:02},1.5\n",
}
"""A data module of each kind, and one item of its file."""
NO_SHARES = {"val_fraction": 0.0, "test_fraction": 0.0}
HEADS = {SeriesData: "time,value\n"}
SMALLEST = {ParallelData: {"min_freq": 0}, LabelledData: {"min_freq": 0}, SeriesData: {"history": 2}}


def of_items(kind: type[DataModule], folder: Path, items: int, **options: Any) -> DataModule:
    file = folder / "file.tsv"
    file.write_text(HEADS.get(kind, "") + "".join(LINES[kind].format(number) for number in range(1, items + 1)))
    return kind(str(file), **SMALLEST.get(kind, {}), **options)  # type: ignore[call-arg]


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("kind", LINES)
def test_a_part_that_was_asked_for_and_is_empty_is_refused(kind: type[DataModule], split: str, tmp_path: Path) -> None:
    other = "test" if split == "val" else "val"
    shares = {f"{split}_fraction": 0.001, f"{other}_fraction": 0.0}
    words = rf"^{split}_fraction 0.001 of .* leaves the {split} part .*; give more, or a larger"
    with pytest.raises(UserError, match=words) as caught:
        of_items(kind, tmp_path, 8, **shares)
    assert str(caught.value).endswith(f"or --data.{split}_fraction 0 to do without")
    assert not of_items(kind, tmp_path, 8, **dict.fromkeys(shares, 0.0)).has(split)


@pytest.mark.parametrize("kind", [TextData, ParallelData, LabelledData, TaggedData])
def test_a_file_of_a_part_that_holds_nothing_is_refused(kind: type[DataModule], tmp_path: Path) -> None:
    (tmp_path / "empty.tsv").write_text("")
    with pytest.raises(UserError, match=r"empty\.tsv"):
        of_items(kind, tmp_path, 8, val_path=str(tmp_path / "empty.tsv"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"counts": [20, 2, 0], "horizon": 3},
            "2 of --data.counts leaves the val part without a window of horizon 3; ",
        ),
        (
            {"test_from": "2030-01-01", "val_fraction": 0.0},
            "test_from 2030-01-01 leaves the test part without a window",
        ),
        (
            {"val_from": "2020-01-20", "test_from": "2020-01-20"},
            "val_from 2020-01-20 leaves the val part without a win",
        ),
        (
            {"val_fraction": 0.1, "horizon": 4, "test_fraction": 0.0},
            "val_fraction 0.1 of 28 steps leaves the val part w",
        ),
    ],
)
def test_parts_of_a_series_without_a_window(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        of_items(SeriesData, tmp_path, 28, **options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("kind", [TextData, ParallelData, LabelledData, TaggedData])
def test_a_corpus_of_several_files_is_named_by_their_folder(kind: type[DataModule], tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text(LINES[kind].format(99))
    test = {**NO_SHARES, "test_path": str(tmp_path / "test.tsv")}
    assert of_items(kind, tmp_path, 8, **NO_SHARES).corpus_name == "file"
    assert of_items(kind, tmp_path, 8, **test).corpus_name == tmp_path.name
    assert of_items(kind, tmp_path, 8, **test, name_shown="mine").corpus_name == "mine"
