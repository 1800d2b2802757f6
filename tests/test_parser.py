from typing import Union

import pytest

from seqlab.parser import integers_first


@pytest.mark.parametrize("annotation", [Union[float, int, None], Union[int, float, None], float | int | None])  # noqa: UP007
def test_a_whole_number_is_tried_before_a_share(annotation: object) -> None:
    assert str(integers_first(annotation)) == "int | float | None"


@pytest.mark.parametrize("annotation", [str | None, float, float | None, list[int]])
def test_other_types_stay_as_they_are(annotation: object) -> None:
    assert integers_first(annotation) is annotation
