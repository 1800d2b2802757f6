"""Configurations: YAML of a bounded size, depth and number of aliases."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml

from seqlab.errors import UserError, reason_of
from seqlab.files import read_stream_or_regular

LARGEST = 10**6
"""Most bytes of a configuration."""

DEEPEST = 20
MOST_PARTS = 20_000
"""Most names, values and brackets."""

MOST_ALIASES = 8
"""Most aliases ``*a``, each of which repeats a whole part."""

VAST_NUMBER = re.compile(r"[-+.]?\d[\w.:+-]{100,}")
"""A value that no option admits."""

BRACKETS = re.compile(r"[\[{&*]")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_configuration(path: str) -> Any:
    """The content of a YAML file, or of a pipe by its path.

    Raises:
        UserError: It cannot be read, is no YAML, or exceeds the limits.
    """
    try:
        text = read_stream_or_regular(path, LARGEST).decode("utf-8-sig")
    except OSError as error:
        raise UserError(
            f"cannot read the configuration {path}: {reason_of(error)}; give --config an existing file"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"the configuration {path} is not UTF-8 text; convert it first") from None
    return parse_configuration(text, path)


def parse_configuration(text: str, name: object) -> Any:
    """The content of a YAML text.

    Args:
        text: The YAML text.
        name: Its name in messages.

    Raises:
        UserError: It is no YAML, or exceeds the limits.
    """
    if len(text) > LARGEST:
        raise UserError(f"{name} has more than {LARGEST:,} characters, which no configuration has; give a smaller one")
    try:
        for beyond in _beyond(text):
            raise UserError(f"{name} {beyond}; write it out plainly")
        return yaml.load(text, Loader=LOADER)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise UserError(f"{name} is not YAML: {' '.join(str(error).split())}") from None


def check_typed(option: str, value: str) -> None:
    """Checks the value of an option, which may be YAML.

    Raises:
        UserError: It exceeds the limits of a configuration.
    """
    if BRACKETS.search(value):
        with suppress(yaml.YAMLError, ValueError):
            for beyond in _beyond(value):
                raise UserError(f"the value of {option} {beyond}; write it out plainly")


def _beyond(text: str) -> Iterator[str]:
    """How a YAML text exceeds the limits, from its events alone, before any object is made."""
    opened: list[str | None] = []
    aliases = 0
    for number, event in enumerate(yaml.parse(text, Loader=LOADER)):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
            if event.anchor in opened:
                yield f"holds *{event.anchor} within &{event.anchor}, which has no end"
        elif isinstance(event, yaml.ScalarEvent) and VAST_NUMBER.fullmatch(event.value):
            yield "has a number of more than 100 digits"
        if aliases > MOST_ALIASES:
            yield f"has more than {MOST_ALIASES} aliases"
        if len(opened) > DEEPEST:
            yield f"is nested deeper than {DEEPEST}"
        if number > MOST_PARTS:
            yield f"has more than {MOST_PARTS:,} parts"
