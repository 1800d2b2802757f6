"""Command-line parsing for every verb: help that fits the screen, and errors of one sentence."""

import re
import shutil
import sys
import textwrap
from argparse import SUPPRESS, Action, _HelpAction
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise, takewhile
from typing import Any, NoReturn

from jsonargparse import ArgumentError, ArgumentParser, Namespace
from jsonargparse._actions import _ActionConfigLoad
from jsonargparse._typehints import ActionTypeHint

from seqlab.bounds import check_bounds, check_named
from seqlab.cli.annotations import admits_none, integers_first, literals_of, type_in_sentence
from seqlab.cli.configuration import check_typed
from seqlab.cli.help_rows import help_rows
from seqlab.errors import UserError, nearest

NEVER_MEANT = {"h", "print_shtab"}
"""Options that messages never propose."""


class Parser(ArgumentParser):
    """A jsonargparse parser that raises ``UserError`` and prints help in columns.

    Help begins with the command lines of ``examples``. ``common`` names the options in ``--help``, by dotted names or
    name prefixes, without those of ``seldom``; empty shows all. ``--help_all`` shows every option. ``others`` are
    options of other parsers, as proposals for a misspelt one. ``refused`` has the reason why an option does not exist.
    ``headings`` are the headings of groups of options, by the group's name. In each group the options of ``first`` come
    first.
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
        """Prints a message; a failed write is an error, which argparse would ignore."""
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

    def check_names(self, arguments: Iterable[str], later: Iterable[str] = ()) -> None:
        """Checks the names of options, before what their values name is read.

        Args:
            arguments: The command line.
            later: Names that the parser does not have yet; each is also that of a group, as ``data`` of ``data.path``.

        Raises:
            UserError: An option has none of the names.
        """
        own, groups, names = self._names(), self._groups(), {*later}
        for option, _ in typed(takewhile(lambda word: word != "--", arguments)):
            key = option[2:].removesuffix("+")
            above = {*accumulate(key.split("."), "{}.{}".format)} & (names | own - groups)
            if not above and key not in own:
                raise UserError(self._unknown(key, names))

    def _names(self) -> set[str]:
        return {option.lstrip("-") for action in self._actions for option in action.option_strings}

    def _groups(self) -> set[str]:
        """Names of the groups of options."""
        return {action.dest for action in self._actions if isinstance(action, _ActionConfigLoad)}

    def _check_groups(self, arguments: list[str]) -> None:
        """Refuses a file instead of a group's options, since only a file of ``--config`` is checked for its limits."""
        groups = self._groups()
        for option, value in typed(arguments):
            key = option.removeprefix("--")
            if key in groups and not value.lstrip().startswith("{"):
                raise UserError(
                    f"{option} takes options, as {option}.NAME VALUE; a file of them, under {key}:, is for --config"
                )

    def _check_values(self, config: Namespace) -> None:
        """Checks beyond types: bounds of numbers, and null only where it is valid."""
        for action in self._actions:
            annotation = getattr(action, "_typehint", None)
            if annotation is None or action.dest not in config:
                continue
            value = config[action.dest]
            if value is None and action.default is not None and not admits_none(annotation):
                raise UserError(f"--{action.dest} does not take null: it takes {type_in_sentence(annotation)}")
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

    def _unknown(self, key: str, later: Iterable[str] = ()) -> str:
        if key in self.refused:
            return self.refused[key]
        if key in self._by_place():
            return f"{key.upper()} is given without --{key}, as in: {self._example()}"
        names = (self._names() | {*self.others, *later}) - NEVER_MEANT
        same_group = {name for name in names if name.rpartition(".")[0] == key.rpartition(".")[0]} or names
        known = [f"--{name}" for name in same_group]
        return f"unknown option --{key}: {nearest(f'--{key}', known)}; --help_all lists them"

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
        known = literals_of(annotation) or [str(choice) for choice in action.choices or []]
        rule = f"it takes {type_in_sentence(annotation)}" if not known else nearest(value, known)
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
                    *(line for a in rows for line in help_rows(a, width)),
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
    """Shows every option, including uncommon ones."""

    def __init__(self, option_strings: list[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest=SUPPRESS, default=SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: Any, *_: Any) -> None:
        parser.common = None
        parser.print_help()
        parser.exit()


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
    """Options with their values, given as the next word or after ``=``."""
    for word, after in pairwise([*arguments, ""]):
        option, equals, value = word.partition("=")
        if option.startswith("--"):
            yield option, value if equals else after


def values_of(arguments: list[str], name: str) -> list[str]:
    """Every value given for ``--name``."""
    return [value for option, value in typed(arguments) if option == f"--{name}"]


def pick(kind: str, name: str, known: Iterable[str]) -> str:
    """The known name that matches, ignoring case, hyphens and underscores.

    Raises:
        UserError: No name matches.
    """
    known = list(known)
    wanted = re.sub(r"[_-]", "", name.lower())
    for option in known:
        if re.sub(r"[_-]", "", option) == wanted:
            return option
    raise UserError(f"unknown {kind} '{name}': {nearest(name, known)}")
