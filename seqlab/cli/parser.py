"""Command-line parsing for every verb: help that fits the screen, and errors of one sentence."""

import contextlib
import errno
import os
import re
import shutil
import sys
import textwrap
import types
from argparse import SUPPRESS, Action, _HelpAction
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from jsonargparse import ActionYesNo, ArgumentError, ArgumentParser, Namespace
from jsonargparse._actions import _ActionConfigLoad
from jsonargparse._typehints import ActionTypeHint

from seqlab.bounds import check_bounds, check_named, rule_of
from seqlab.cli.configuration import check_typed
from seqlab.cli.unread import lasting_output, ready_streams
from seqlab.errors import UserError, nearest, reason_of

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What the system says where a disk is full or takes nothing more."""

NO_PLACE = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EACCES, errno.EPERM)
"""What it says of a path that leads nowhere."""

OUT_OF_MEMORY = re.compile("can't allocate memory|out of memory|storage size calculation overflowed")

TYPED = (bool, int, float, str, list, tuple, type(None))
"""Classes whose values a user can type."""

NEVER_MEANT = {"h", "print_shtab"}
"""Options that no message proposes."""

HELP_COLUMN = 41


def options_of(annotation: Any) -> list[str]:
    """The literal values that a type admits, none if it admits others too."""
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    if get_origin(annotation) in (Union, types.UnionType):
        return [option for part in get_args(annotation) for option in options_of(part)]
    return []


def type_words(annotation: Any) -> str:
    """A type as a user would say it: ``INT``, ``FLOAT|null``, ``contiguous|random``."""
    if annotation is None or annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if not isinstance(part, type) or part in TYPED] or [str]
        parts = [part for part in parts if part is not int or float not in parts]
        return "|".join(dict.fromkeys(map(type_words, parts)))
    if get_origin(annotation) in (list, set, tuple):
        return "LIST"
    if annotation is bool:
        return "true|false"
    return getattr(annotation, "__name__", str(annotation)).upper()


def integers_first(annotation: Any) -> Any:
    """``int | float`` for ``float | int``, so that ``1`` stays a count of batches and is not the share 1.0.

    ``typing`` holds the two for equal and hands out whichever of them the process named first.
    """
    if get_origin(annotation) in (Union, types.UnionType) and {int, float} <= set(get_args(annotation)):
        return reduce(or_, sorted(get_args(annotation), key=lambda part: part is not int))
    return annotation


def _admits_none(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return any(_admits_none(part) for part in get_args(annotation))
    return annotation in (None, type(None), Any, object)


class Parser(ArgumentParser):
    """A jsonargparse parser that raises ``UserError`` and prints help in columns.

    Help opens with the command lines of ``examples``. ``common`` names the options that ``--help`` shows, by their
    dotted names or their leading parts, without those of ``seldom``; none shows all. ``--help_all`` shows every option.
    ``others`` are options that are read elsewhere, and may have been meant by a misspelt one; ``refused`` says of an
    option that there is not why. ``headings`` are those of groups of options, by the group's name. In each group those
    of ``first`` come first.
    """

    common: Iterable[str] | None = None
    others: Iterable[str] = ()
    first: Sequence[str] = ()

    def __init__(self, *args: Any, examples: Iterable[str] = (), **kwargs: Any) -> None:
        kwargs.setdefault("exit_on_error", False)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)
        self.examples = [*examples]
        self.seldom: set[str] = set()
        self.headings: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self._negative_number_matcher = re.compile(r"-\.?\d")  # -1,2 is a value too, and no option begins with a digit
        self.add_argument("--help_all", action=_HelpAllAction, help="Show every option and exit.")
        next(action for action in self._actions if isinstance(action, _HelpAction)).help = "Show this and exit."

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise UserError(self._one_sentence(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Where it cannot be written that is an error, which argparse would pass over."""
        stream = sys.stderr if file is None else file
        stream.write(message)
        stream.flush()

    def parse_sentence(self, arguments: list[str]) -> Namespace:
        """Parses arguments.

        Raises:
            UserError: An argument is unknown or its value is not of its type.
        """
        for action in self._actions:
            if isinstance(action, ActionTypeHint):
                action._typehint = integers_first(action._typehint)
                action._enable_path, action.sub_add_kwargs = False, {**action.sub_add_kwargs, "sub_configs": False}
        self._check_groups(arguments)
        check_named(arguments)
        for option, value in typed(arguments):
            check_typed(option, value)
        try:
            config: Namespace = self.parse_args(arguments)
        except ArgumentError as error:
            raise UserError(self._one_sentence(str(error))) from None
        except RecursionError:
            raise UserError("a value is nested too deeply; write it out plainly") from None
        self._check_values(config)
        return config

    def _check_groups(self, arguments: list[str]) -> None:
        """Refuses a file in place of the options of a group; one of ``--config`` alone is read within its bounds."""
        groups = {f"--{action.dest}" for action in self._actions if isinstance(action, _ActionConfigLoad)}
        for option, value in typed(arguments):
            if option in groups and not value.lstrip().startswith("{"):
                key = option.lstrip("-")
                raise UserError(
                    f"{option} takes options, as {option}.NAME VALUE; a file of them, under {key}:, is for --config"
                )

    def _check_values(self, config: Namespace) -> None:
        """Checks what types alone do not say: bounds of numbers, and that null is meant where it is given."""
        for action in self._actions:
            annotation = getattr(action, "_typehint", None)
            if annotation is None or action.dest not in config:
                continue
            value = config[action.dest]
            if value is None and action.default is not None and not _admits_none(annotation):
                raise UserError(f"--{action.dest} does not take null: it takes {type_words(annotation)}")
            check_bounds(action.dest, value)

    def _one_sentence(self, message: str) -> str:
        if match := re.search(r"arguments are required: ([\w.]+)", message):
            return self._missing(match.group(1))
        if match := re.search(r"Unrecognized arguments: (.*)", message, re.IGNORECASE):
            word = match.group(1).split()[0]
            if not word.startswith("-"):
                return f"'{word}' is one argument too many; give options as --name value"
            return self._unknown(word.split("=")[0].lstrip("-"))
        if match := re.search(r"(?:Key|Group|Option) '([\w.]+)' is not (?:expected|accepted)", message):
            return self._unknown(match.group(1))
        if match := re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message):
            return self._unknown(".".join(match.groups()))
        if match := re.search(r"(?:Key|argument|key) \"?'?(?:--)?([\w./]+)'?\"?( is required|:)", message):
            return self._invalid(match.group(1), message)
        return " ".join(message.split())

    def _missing(self, key: str) -> str:
        if key in self._by_place():
            return f"{key.upper()} is missing; give it as in: {self._example()}"
        return f"--{key} is required; --help says what it is"

    def _by_place(self) -> set[str]:
        return {action.dest for action in self._actions if not action.option_strings}

    def _example(self) -> str:
        return next(iter(self.examples), str(self.usage))

    def _unknown(self, key: str) -> str:
        if key in self.refused:
            return self.refused[key]
        if key in self._by_place():
            return f"{key.upper()} is given without --{key}, as in: {self._example()}"
        names = {option.lstrip("-") for action in self._actions for option in action.option_strings}
        names = (names | {*self.others}) - NEVER_MEANT
        dash = "--" if not key.startswith("-") else ""
        same_group = {name for name in names if name.rpartition(".")[0] == key.rpartition(".")[0]} or names
        known = [f"--{name}" for name in same_group]
        return f"unknown option {dash}{key}: {nearest(f'--{key}', known)}; --help_all lists them"

    def _invalid(self, key: str, message: str) -> str:
        if "is required" in message:
            return self._missing(key)
        action = next((a for a in self._actions if a.dest == key or f"--{key}" in a.option_strings), None)
        given = re.search(r"[Gg]iven value: (.*)", message) or re.search(r"(?:Got|invalid \w+) value: (.*)", message)
        given = given or re.search(r"invalid choice: ('[^']*')", message)
        annotation = getattr(action, "_typehint", None) or getattr(action, "type", None)
        if action is None or given is None or annotation is None:
            return f"--{key}: {' '.join(message.split(':', 1)[-1].split())}"
        value = given.group(1).strip().strip("'")
        known = options_of(annotation) or [str(choice) for choice in action.choices or []]
        rule = f"it takes {type_words(annotation)}" if not known else nearest(value, known)
        return f"--{key} does not take '{value}': {rule}"

    def format_help(self, formatter: Any = None) -> str:
        width = min(shutil.get_terminal_size((120, 24)).columns, 130)
        lines = [f"usage: {self.usage or self.prog}", "", *textwrap.wrap(self.description or "", width), ""]
        lines += ["Examples:", *(f"  {example}" for example in self.examples), ""] if self.examples else []
        for group in self._action_groups:
            rows = sorted(filter(self._shown, group._group_actions), key=self._place)
            if rows:
                lines += [
                    *textwrap.wrap(self._heading(group), width),
                    *(line for a in rows for line in _help_rows(a, width)),
                    "",
                ]
        lines += [*textwrap.wrap(self.epilog or "", width), ""] if self.epilog else []
        return "\n".join(lines)

    def _place(self, action: Action) -> int:
        return self.first.index(action.dest) if action.dest in self.first else len(self.first)

    def _shown(self, action: Action) -> bool:
        name = action.dest
        if action.help is SUPPRESS or name.endswith(".help") or action.option_strings == ["--print_shtab"]:
            return False
        if self.common is None:
            return True
        if name in self.seldom:
            return False
        return any(name == common or (common.endswith(".") and name.startswith(common)) for common in self.common)

    def _heading(self, group: Any) -> str:
        titles = {"positional arguments": "Arguments", "options": "Options"}
        names = {action.dest.partition(".")[0] for action in group._group_actions}
        own = self.headings.get(names.pop()) if len(names) == 1 else None
        return f"{own or titles.get(group.title, group.title)}:"


class _HelpAllAction(Action):
    """Shows every option, the uncommon ones too."""

    def __init__(self, option_strings: list[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest=SUPPRESS, default=SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: Any, *_: Any) -> None:
        parser.common = None
        parser.print_help()
        parser.exit()


def _help_rows(action: Action, width: int) -> list[str]:
    annotation = getattr(action, "_typehint", None) or getattr(action, "type", None)
    name = f"--{action.dest.removesuffix('.name')}" if action.option_strings else action.dest.upper()
    words = type_words(annotation) if annotation is not None and action.option_strings else ""
    words = "" if isinstance(action, ActionYesNo) else words
    if isinstance(action, _HelpAction | _HelpAllAction):
        name = action.option_strings[-1]
    given = "" if isinstance(action, ActionYesNo) else action.metavar
    shown = "".join(filter(str.isprintable, given or (words if len(words) < 22 else "")))
    left = f"  {name} {shown}".rstrip()
    default = action.default
    value = "" if default in (None, SUPPRESS) or isinstance(action, _HelpAction) else f" [{_plain(default)}]"
    within = f" ({rule})" if (rule := rule_of(action.dest)) else ""
    text = textwrap.wrap(" ".join((action.help or "").split()) + within + value, width - HELP_COLUMN) or [""]
    first = (
        f"{left:<{HELP_COLUMN}}{text[0]}" if len(left) < HELP_COLUMN - 1 else f"{left}\n{' ' * HELP_COLUMN}{text[0]}"
    )
    return [first, *(" " * HELP_COLUMN + line for line in text[1:])]


def _plain(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def arguments_of(options: dict[str, Any], prefix: str = "") -> list[str]:
    """``{"model": "gru", "trainer": {"max_epochs": 3}}`` -> ``["--model", "gru", "--trainer.max_epochs", "3"]``."""
    words: list[str] = []
    for key, value in options.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            words += arguments_of(value, f"{name}.")
        else:
            words += [f"--{name}", "null" if value is None else str(value)]
    return words


def spell_choices(argv: Iterable[str], choices: Iterable[str]) -> list[str]:
    """``--model gru`` and ``--model=gru`` as ``--model.name gru``, for each of the choices."""
    arguments: list[str] = []
    words = iter(argv)
    for word in words:
        key, equals, value = word.partition("=")
        if key in {f"--{choice}" for choice in choices}:
            arguments += [f"{key}.name", value if equals else next(words, "")]
        else:
            arguments.append(word)
    return arguments


def typed(arguments: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, as the word after each or behind ``=``."""
    for word, after in pairwise([*arguments, ""]):
        option, equals, value = word.partition("=")
        if option.startswith("--"):
            yield option, value if equals else after


def values_of(arguments: list[str], name: str) -> list[str]:
    """Every value given for ``--name``."""
    return [value for option, value in typed(arguments) if option == f"--{name}"]


def pick(kind: str, name: str, known: Iterable[str]) -> str:
    """The known name that was meant, whatever its capitals, hyphens and underscores.

    Raises:
        UserError: There is none.
    """
    known = list(known)
    wanted = re.sub(r"[_-]", "", name.lower())
    for option in known:
        if re.sub(r"[_-]", "", option) == wanted:
            return option
    raise UserError(f"unknown {kind} '{name}': {nearest(name, known)}")


def run_verb(verb: Callable[[list[str]], int | None], argv: list[str] | None, lasting: bool = False) -> int:
    """Runs a verb as a process should: one sentence on stderr and code 2 for what the user can mend.

    Args:
        verb: Takes the arguments after the program's name; may return an exit code.
        argv: Those arguments; of this process if not given.
        lasting: Whether it goes on although nobody reads what it prints, unless it was asked for words alone.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if argv is None else argv
    ready_streams()
    try:
        with lasting_output() if lasting and not asks_for_words(arguments) else nullcontext():
            code = verb(arguments) or 0
            sys.stdout.flush()
            return code
    except UserError as error:
        _say(f"seqlab: {_as_typed(' '.join(str(error).split()), arguments)}")
        return 2
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not OUT_OF_MEMORY.search(str(error)):
            raise
        _say(f"seqlab: there is not enough memory: {reason_of(error)}; make it smaller")
        return 2
    except KeyboardInterrupt:
        _say("\nseqlab: stopped")
        return 130
    except BrokenPipeError:
        _leave(sys.stdout)
        return 0
    except OSError as error:
        if error.errno in NO_PLACE and error.filename is not None:
            _say(f"seqlab: {str(error.filename)[:60]!r} cannot be used: {reason_of(error)}; give another path")
            return 2
        if error.errno not in FULL:
            raise
        _leave(sys.stdout)
        _say(f"seqlab: {_place_of(error)}: {reason_of(error)}; make room, and do it again")
        return 2


def _as_typed(refusal: str, arguments: Iterable[str]) -> str:
    """A refusal that begins with the name of an option and its value, with the name as it was typed with that value."""
    name, value, *_ = (*refusal.split(maxsplit=2), "", "")
    for option, given in typed(arguments):
        if option[2:].rpartition(".")[2] == name and value == given:
            return f"{option} {refusal.removeprefix(name).lstrip()}"
    return refusal


def asks_for_words(arguments: Iterable[str]) -> bool:
    """Whether a command line asks for help or a configuration alone."""
    return any(word == "-h" or word.startswith(("--help", "--print_")) for word in arguments)


def _say(words: str) -> None:
    try:
        print(words, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _leave(sys.stderr)


def _place_of(error: OSError) -> str:
    return f"cannot write {error.filename}" if error.filename else "not all could be written"


def _leave(stream: Any) -> None:
    """Lets nothing more be written to a stream that takes nothing, so that Python says nothing of it at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
