from pathlib import Path
from typing import Any, Literal, Union

import pytest

from seqlab.cli.annotations import admits_none, integers_first, literals_of, type_words


@pytest.mark.parametrize("annotation", [Union[float, int, None], Union[int, float, None], float | int | None])  # noqa: UP007
def test_a_whole_number_is_tried_before_a_share(annotation: object) -> None:
    assert str(integers_first(annotation)) == "int | float | None"


@pytest.mark.parametrize("annotation", [str | None, float, float | None, list[int]])
def test_other_types_stay_as_they_are(annotation: object) -> None:
    assert integers_first(annotation) is annotation


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int | None, "INT|null"),
        (float | int, "FLOAT"),
        (str | Path, "STR"),
        (Literal["a", "b"], "a|b"),
        (int | list[int], "INT|LIST"),
        (bool, "true|false"),
        (Path | None, "STR|null"),
    ],
)
def test_types_in_words(annotation: object, words: str) -> None:
    assert type_words(annotation) == words


def test_what_types_admit() -> None:
    assert literals_of(Literal["a", "b"] | None) == ["a", "b"]
    assert literals_of(Literal["a"] | Literal["b"]) == ["a", "b"]
    assert literals_of(int) == literals_of(Literal["a"] | str) == literals_of(bool | Literal["a"] | None) == []
    assert admits_none(int | None)
    assert admits_none(Any)
    assert not admits_none(int)
