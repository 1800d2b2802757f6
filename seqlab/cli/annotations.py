"""Types of options: their names for users, and the values that they admit."""

import types
from functools import reduce
from operator import or_
from typing import Any, Literal, Union, get_args, get_origin

WORDS = {
    "INT": "a whole number",
    "FLOAT": "a number",
    "STR": "a text",
    "LIST": "a list such as [2,3]",
    "DICT": "options such as {name: value}",
}
"""What a message says for a type in the help."""

TYPED = (bool, int, float, str, list, tuple, type(None))
"""Classes of values that a user can type."""


def literals_of(annotation: Any) -> list[str]:
    """The literal values of a type; empty if it also admits values other than them and null."""
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [literals_of(part) for part in get_args(annotation) if part is not type(None)]
        return [value for part in parts for value in part] if all(parts) else []
    return []


def type_words(annotation: Any) -> str:
    """A type in words for users: ``INT``, ``FLOAT|null``, ``contiguous|random``."""
    if annotation is None or annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if not isinstance(part, type) or part in TYPED]
        parts = parts if any(part is not type(None) for part in parts) else [str, *parts]
        parts = [part for part in parts if part is not int or float not in parts]
        return "|".join(dict.fromkeys(map(type_words, parts)))
    if get_origin(annotation) in (list, set, tuple):
        return "LIST"
    if annotation is bool:
        return "true|false"
    return getattr(annotation, "__name__", str(annotation)).upper()


def type_in_sentence(annotation: Any) -> str:
    """A type in a message: ``a whole number or null``."""
    *most, last = (WORDS.get(part, part) for part in type_words(annotation).split("|"))
    return f"{', '.join(most)} or {last}" if most else last


def integers_first(annotation: Any) -> Any:
    """``int | float`` for ``float | int``, so that ``1`` stays a number of batches instead of the share 1.0.

    ``typing`` treats both as equal and returns the one that the process used first.
    """
    if get_origin(annotation) in (Union, types.UnionType) and {int, float} <= set(get_args(annotation)):
        return reduce(or_, sorted(get_args(annotation), key=lambda part: part is not int))
    return annotation


def admits_none(annotation: Any) -> bool:
    """Whether a type admits null."""
    if get_origin(annotation) in (Union, types.UnionType):
        return any(admits_none(part) for part in get_args(annotation))
    return annotation in (None, type(None), Any, object)
