"""The configuration in a checkpoint, limited to its safe options, since a checkpoint is untrusted input."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqlab.errors import UserError
from seqlab.files import real_path, user_path
from seqlab.runs.folders import LOGS, check_name

NAMING_CODE = ("trainer", "optimizer", "lr_scheduler")
"""Groups whose values may name classes and functions to import."""

HARMLESS = re.compile(r"[a-z0-9_-]*|[\d.,:e+-]+")
"""Safe values: names such as ddp and bf16-mixed, numbers and times; no class names and no paths."""

OF_THE_COMMAND = ("config", "print_config", "help", "help_all", "run", "ckpt_path", "take_over")
"""Options that only a command line may give."""

FOLDERS = (("trainer", "default_root_dir"), ("trainer", "model_registry"), ("data", "root"))
"""Options with output paths."""


def believed(content: dict[str, Any], checkpoint: Path, is_given: Callable[[str], bool]) -> dict[str, Any]:
    """The configuration in a checkpoint, without unsafe options.

    Args:
        content: The configuration, by groups.
        checkpoint: Path of the checkpoint.
        is_given: Whether the command line, or a file that it names, has an option.

    Raises:
        UserError: It names classes, or has options of the command line, and the command line does not repeat them.
    """
    if wrong := next((key for key in OF_THE_COMMAND if content.get(key) not in (None, False)), None):
        raise UserError(f"{checkpoint} says --{wrong}, which the command line alone can; it was not used")
    kept = _with_folders({key: one for key, one in content.items() if key not in OF_THE_COMMAND}, checkpoint, is_given)
    named: dict[str, list[str]] = {}
    for group, options in kept.items():
        if isinstance(options, dict):
            kept[group] = {key: value for key, value in options.items() if not is_given(f"{group}.{key}")}
            for key, value in kept[group].items():
                if (group, key) not in FOLDERS and (code := [*_code(value, group in NAMING_CODE)]):
                    named[f"--{group}.{key}"] = code
    if named:
        said = "; ".join(f"{option} is {', '.join(code)}" for option, code in named.items())
        raise UserError(
            f"{checkpoint} names code, and nothing that a checkpoint names is run: {said}; give "
            f"{' and '.join(named)} again as you want it, or null to go on without"
        )
    return kept


def _code(value: Any, by_name: bool) -> Iterator[str]:
    """The importable names in a value."""
    if isinstance(value, Mapping):
        if "class_path" in value:
            yield str(value["class_path"])[:100]
        for one in value.values() if "class_path" not in value else ():
            yield from _code(one, by_name)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _code(one, by_name)
    elif by_name and isinstance(value, str) and not HARMLESS.fullmatch(value):
        yield value[:100]


def _with_folders(content: dict[str, Any], checkpoint: Path, is_given: Callable[[str], bool]) -> dict[str, Any]:
    """Drops a folder of runs without the checkpoint in it, and a folder of corpora that does not exist."""
    kept, place = {key: dict(one) if isinstance(one, dict) else one for key, one in content.items()}, _place(checkpoint)
    for group, key in FOLDERS:
        options = kept.get(group) or {}
        value = options.pop(key, None)
        if value is None or is_given(f"{group}.{key}"):
            continue
        folder = user_path(str(value)).absolute()
        if folder.is_dir() and (group == "data" or (place is not None and real_path(folder) == place.parents[1])):
            options[key] = value
        else:
            words = f"the folder that {checkpoint} names as --{group}.{key}, {value}, is not followed"
            print(f"seqlab: {words}; give the option again if it is meant", file=sys.stderr)
    return kept


def _place(checkpoint: Path) -> Path | None:
    """The run's folder that holds a checkpoint; None if the checkpoint is elsewhere."""
    folder = real_path(checkpoint).parent
    return folder.parent if folder.name == "checkpoints" and folder.parents[1].name == LOGS else None


def name_of(checkpoint: Path, name: str) -> str:
    """The name of a checkpoint's run: that of its folder, or the name in the checkpoint.

    Raises:
        UserError: The name is not a plain folder name.
    """
    check_name(name)
    place = _place(checkpoint)
    return name if place is None else place.name
