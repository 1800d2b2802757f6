from typing import Any

import pytest

from seqlab.data.class_data import separated
from seqlab.data.labelled_files import Rows
from seqlab.data.labelled_parts import divided, key_of, without_empty
from seqlab.data.parts import HeldOut
from seqlab.errors import UserError

TEXTS = [f"text {number}" for number in range(20)]
ALL = Rows(TEXTS, ["x", "y"] * 10)


def parts(whole: dict[Any, Rows], **options: Any) -> dict[Any, Rows]:
    return divided(whole, "raw", None, HeldOut(**{"val_fraction": 0.0, "test_fraction": 0.0, **options}))


def test_what_equal_texts_share() -> None:
    assert key_of("The  Dog!", "letters") == key_of("the dog", "letters") == "the dog"
    assert key_of("a <sep> b", "raw") == "a <sep> b" != key_of("b <sep> a", "raw")
    assert key_of("?!", "letters") == ""


def test_labels_of_one_text() -> None:
    assert separated("a; b", None) == ["a; b"]
    assert separated("a; b;;a", ";") == ["a", "b"]
    assert separated("", ";") == []


def test_texts_that_cleaning_leaves_nothing_of() -> None:
    assert without_empty(Rows(["a", "?!", "b"], ["1", "2", "3"], ("n",)), "letters") == Rows(
        ["a", "b"], ["1", "3"], ("n",)
    )


def test_every_text_is_in_one_part_with_its_label() -> None:
    made = parts({"train": ALL}, val_fraction=0.2, test_fraction=0.3)
    assert {split: len(rows.texts) for split, rows in made.items()} == {"train": 10, "val": 4, "test": 6}
    assert sorted(text for rows in made.values() for text in rows.texts) == sorted(TEXTS)
    label = dict(zip(*ALL[:2], strict=True))
    assert all(label[text] == one for rows in made.values() for text, one in zip(rows.texts, rows.labels, strict=True))
    assert made["val"].labels.count("x") == 2


def test_parts_that_have_files_are_left_as_they_are() -> None:
    own = Rows(["text 1"], ["z"])
    made = parts({"train": ALL, "test": own}, val_fraction=0.2, test_fraction=0.3)
    assert made["test"] == own
    assert (len(made["train"].texts), len(made["val"].texts)) == (16, 4)


def test_folds_are_each_the_test_part_once() -> None:
    tests = [parts({"train": ALL}, folds=4, fold=fold)["test"].texts for fold in range(4)]
    assert sorted(text for texts in tests for text in texts) == sorted(TEXTS)


def test_parts_that_cannot_be() -> None:
    with pytest.raises(UserError, match="^folds 21 are more than the 20 different texts; give fewer$"):
        parts({"train": ALL}, folds=21)
    with pytest.raises(UserError, match="^no text is left to train on; give more texts, or lower --data.val_fraction$"):
        parts({"train": Rows(["a"], ["x"])}, val_fraction=0.99)
