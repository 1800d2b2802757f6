"""Options in Python: objects in addition to plain values, and messages with Python arguments."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from seqlab.errors import UserError
from seqlab.models.optimization import OPTIMIZERS, plainly

PLAIN = (str, int, float, bool, Path, type(None))


def split_objects(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits options into plain values for a command line, and objects.

    Groups that are None are dropped. An optimizer of torch, or a partial of one with plain values, becomes its name and
    options.
    """
    plain: dict[str, Any] = {}
    objects: dict[str, Any] = {}
    for key, value in options.items():
        if key == "optimizer" and callable(value):
            name, named = _named(value)
            plain |= {"optimizer": name} if name else {}
            objects |= {} if name else {"optimizer": named}
        elif key == "trainer" and value is not None:
            plain[key] = {name: one for name, one in value.items() if _is_plain(one)}
            objects |= {name: one for name, one in value.items() if not _is_plain(one)}
        elif value is not None or key not in ("model", "data", "optimizer", "lr_scheduler", "trainer"):
            plain[key] = dict(value) if isinstance(value, Mapping) else value
    return plain, objects


def _named(made: Callable[..., Any]) -> tuple[dict[str, Any] | None, Callable[..., Any]]:
    kept = plainly(made, OPTIMIZERS) or {}
    given = made.keywords if isinstance(made, partial) else {}
    whole = kept.get("name") in OPTIMIZERS and len(kept) == len(given) + 1
    return (kept if whole else None), made


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, PLAIN)


@contextmanager
def in_python() -> Iterator[None]:
    """A context in which messages name arguments instead of flags: ``model={"hidden_size": 3}``."""
    try:
        yield
    except UserError as error:
        raise type(error)(python_words(str(error))) from None


FLAG = re.compile(r"--([a-z_]+(?:\.\w+)*)(?: (\d[\w.]*|null|true|false)\b)?")
MEANT = re.compile(r"(?<=did you mean )'--([a-z_]+(?:\.\w+)*)'")
VALUES = {"null": "None", "true": "True", "false": "False"}


def python_words(message: str) -> str:
    """A message with Python arguments instead of flags: ``model["tied"]=True`` for ``--model.tied true``."""
    plain = re.sub(r"; (?:see )?--help[^;]*", "", message)
    meant = MEANT.sub(lambda option: _argument(option[1]), plain)
    return FLAG.sub(lambda flag: _argument(flag[1]) + (f"={VALUES.get(flag[2], flag[2])}" if flag[2] else ""), meant)


def _argument(option: str) -> str:
    name, *keys = option.split(".")
    return name + "".join(f'["{key}"]' for key in keys)
