from typing import Union

import pytest

from seqlab.cli.parser import integers_first, values_of


@pytest.mark.parametrize("annotation", [Union[float, int, None], Union[int, float, None], float | int | None])  # noqa: UP007
def test_a_whole_number_is_tried_before_a_share(annotation: object) -> None:
    assert str(integers_first(annotation)) == "int | float | None"


@pytest.mark.parametrize("annotation", [str | None, float, float | None, list[int]])
def test_other_types_stay_as_they_are(annotation: object) -> None:
    assert integers_first(annotation) is annotation


def test_the_last_of_both_forms_comes_last() -> None:
    words = ["--run=a", "--run", "b", "--seed", "1", "--run=c", "--run", "d"]
    assert values_of(words, "run") == ["a", "b", "c", "d"]
