"""Type checks of plain values from untrusted files, by ``TypedDict`` and other hints."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Required, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

LARGEST_INT = 2**63


def mismatch(value: object, hint: Any, name: str) -> str | None:
    """Where a value does not match a type, as a part of a sentence; None if it matches.

    A whole number is below 2**63 in size and no bool; a float may be a whole number; a dict may have more keys than a
    ``TypedDict`` names.

    Args:
        value: Value to check.
        hint: A class, or a hint of ``typing`` made of classes, ``Literal``, unions, lists, tuples, dicts and
            ``TypedDict``.
        name: Name of the value in the sentence.
    """
    if hint is Any:
        return None
    if is_typeddict(hint):
        return _of_keys(value, hint, name)
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (NotRequired, Required):
        return mismatch(value, parts[0], name)
    if origin in (Union, UnionType):
        found = [mismatch(value, part, name) for part in parts]
        deepest = max((one for one in found if one is not None), key=len, default=None)
        return None if None in found else (deepest if len(parts) == 2 and NoneType in parts else _wrong(value, name))
    if origin is Literal:
        fits = any(type(value) is type(part) and value == part for part in parts)
        return None if fits else _wrong(value, name)
    if origin in (list, tuple) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _of_parts(value, origin, parts, name)
    return None if _is(value, hint) else _wrong(value, name)


def unlike(kept: object, template: object, name: str) -> str | None:
    """Where plain values differ in structure from a template, as a part of a sentence; None if they do not.

    Dicts must have the same keys. A list with one kind of part may have any length; other lists and tuples must match
    part by part. Whole numbers must be at least -1, other numbers must not be NaN, and arrays must have the same shape
    and kind. Where the template has None, any plain value is valid.

    Args:
        kept: Value to check.
        template: Template of the structure.
        name: Name of the value in the sentence.
    """
    if template is None:
        return None
    if isinstance(template, dict):
        if not isinstance(kept, dict):
            return _wrong(kept, name)
        if differing := sorted(map(str, kept.keys() ^ template.keys())):
            return f"{name} {'has' if differing[0] in map(str, kept) else 'lacks'} {differing[0]}"
        return next(filter(None, (unlike(kept[key], one, f"{name}.{key}") for key, one in template.items())), None)
    if isinstance(template, list | tuple):
        if type(kept) is not type(template) or not isinstance(kept, list | tuple):
            return _wrong(kept, name)
        if isinstance(template, tuple) and len(kept) != len(template):
            return f"{name} has {len(kept)} parts, not {len(template)}"
        alike = isinstance(template, list) and len({*map(type, template)}) < 2
        if len(kept) > len(template) and not alike:
            return f"{name} has {len(kept)} parts"
        pairs = zip(kept, template[:1] * len(kept) if alike else template, strict=False)
        return next(filter(None, (unlike(one, other, f"{name}[{i}]") for i, (one, other) in enumerate(pairs))), None)
    if isinstance(template, bool | str):
        return None if isinstance(kept, type(template)) else _wrong(kept, name)
    if isinstance(template, int | float):
        fits = _is(kept, int) if isinstance(template, int) else _is(kept, float) and not math.isnan(cast(float, kept))
        return (
            None
            if fits and cast(float, kept) >= (-1 if isinstance(template, int) else -math.inf)
            else _wrong(kept, name)
        )
    shape = getattr(template, "shape", None)
    if type(kept) is not type(template) or getattr(kept, "shape", None) != shape:
        return _wrong(kept, name)
    return None


def _of_keys(value: object, hint: Any, name: str) -> str | None:
    if not isinstance(value, dict):
        return _wrong(value, name)
    for key, part in get_type_hints(hint, include_extras=True).items():
        if key not in value:
            if get_origin(part) is NotRequired:
                continue
            return f"{name} lacks {key}"
        if found := mismatch(value[key], part, f"{name}.{key}"):
            return found
    return None


def _of_parts(value: object, origin: Any, parts: tuple[Any, ...], name: str) -> str | None:
    kind = dict if issubclass(origin, Mapping) else origin
    if not isinstance(value, kind):
        return _wrong(value, name)
    if isinstance(value, dict):
        pairs = ((f"{name}.{key}", key, one) for key, one in value.items())
        keyed = (mismatch(key, parts[0], f"a key of {name}") or mismatch(one, parts[1], at) for at, key, one in pairs)
        return next(filter(None, keyed), None)
    if kind is tuple and parts[-1:] != (...,) and len(value) != len(parts):
        return _wrong(value, name)
    each = parts if kind is tuple and parts[-1:] != (...,) else [parts[0]] * len(value)
    if each and all(part is each[0] for part in each) and each[0] in (str, int):  # perhaps a million tokens
        return next((_wrong(one, f"an entry of {name}") for one in value if not _is(one, each[0])), None)
    numbered = zip(range(len(value)), value, each, strict=True)
    return next(filter(None, (mismatch(one, part, f"{name}[{i}]") for i, one, part in numbered)), None)


def _is(value: object, kind: Any) -> bool:
    if kind in (None, NoneType):
        return value is None
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and -LARGEST_INT <= value < LARGEST_INT
    if kind is float:
        return isinstance(value, float) or _is(value, int)
    if kind is Path:
        return isinstance(value, str | Path)
    return isinstance(value, kind)


def _wrong(value: object, name: str) -> str:
    if isinstance(value, str | int | float | bool | None):
        said = (
            str(value)[:40] if not isinstance(value, int) or _is(value, int) or isinstance(value, bool) else "too large"
        )
        return f"{name} is {said!r}" if isinstance(value, str) else f"{name} is {said}"
    return f"{name} is a {type(value).__name__}"
