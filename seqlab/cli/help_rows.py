"""The rows of help, in columns."""

import textwrap
from argparse import SUPPRESS, Action

from jsonargparse import ActionYesNo

from seqlab.bounds import rule_of
from seqlab.cli.annotations import type_words

HELP_COLUMN = 41


def help_rows(action: Action, width: int) -> list[str]:
    """The lines of an option: its name and type, then its help text, its bounds and its default."""
    annotation = getattr(action, "_typehint", None) or getattr(action, "type", None)
    name = f"--{action.dest.removesuffix('.name')}" if action.option_strings else action.dest.upper()
    words = type_words(annotation) if annotation is not None and action.option_strings else ""
    words = "" if isinstance(action, ActionYesNo) else words
    asks = action.default is SUPPRESS and bool(action.option_strings)
    name = action.option_strings[-1] if asks else name
    given = "" if isinstance(action, ActionYesNo) else action.metavar
    shown = "".join(filter(str.isprintable, given or (words if len(words) < 22 else "")))
    left = f"  {name} {shown}".rstrip()
    default = action.default
    value = "" if default in (None, SUPPRESS) else f" [{_plain(default)}]"
    within = f" ({rule})" if (rule := rule_of(action.dest)) else ""
    text = textwrap.wrap(" ".join((action.help or "").split()) + within + value, width - HELP_COLUMN) or [""]
    first = (
        f"{left:<{HELP_COLUMN}}{text[0]}" if len(left) < HELP_COLUMN - 1 else f"{left}\n{' ' * HELP_COLUMN}{text[0]}"
    )
    return [first, *(" " * HELP_COLUMN + line for line in text[1:])]


def _plain(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
