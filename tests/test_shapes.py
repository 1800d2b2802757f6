from typing import Any, Literal, NotRequired, TypedDict

import pytest

from seqlab.shapes import mismatch, unlike


class Inner(TypedDict):
    count: int
    words: NotRequired[list[str]]


@pytest.mark.parametrize(
    ("value", "hint", "wrong"),
    [
        (3, int, None),
        (True, int, "it is True"),
        (2**63, int, "it is too large"),
        (3, float, None),
        ("a", int | None, "it is 'a'"),
        (None, int | None, None),
        ("b", Literal["a", "b"], None),
        (1, Literal[True], "it is 1"),
        ([1, "a"], list[int], "an entry of it is 'a'"),
        ({"a": 1}, dict[str, int], None),
        ({1: 1}, dict[str, int], "a key of it is 1"),
        ((1, "a"), tuple[int, str], None),
        ((1,), tuple[int, str], "it is a tuple"),
        ({"count": 1, "more": 2}, Inner, None),
        ({}, Inner, "it lacks count"),
        ({"count": 1, "words": [2]}, Inner, "an entry of it.words is 2"),
        ([1], dict[str, Any], "it is a list"),
    ],
)
def test_where_a_value_is_of_another_type(value: object, hint: Any, wrong: str | None) -> None:
    assert mismatch(value, hint, "it") == wrong


@pytest.mark.parametrize(
    ("kept", "template", "wrong"),
    [
        ({"a": 5}, {"a": 0}, None),
        ({"a": -2}, {"a": 0}, "it.a is -2"),
        ({}, {"a": 0}, "it lacks a"),
        ({"a": 1, "b": 2}, {"a": 0}, "it has b"),
        ([1, 2, 3], [0], None),
        ([1, "a"], [0], "it[1] is 'a'"),
        (["a", 1], ["b", 2, 3.0], None),
        ((1, 2), (0,), "it has 2 parts, not 1"),
        (float("nan"), 1.0, "it is nan"),
        (True, 0, "it is True"),
        (0, True, "it is 0"),
        ("anything", None, None),
    ],
)
def test_where_a_value_is_not_like_another(kept: object, template: object, wrong: str | None) -> None:
    assert unlike(kept, template, "it") == wrong
