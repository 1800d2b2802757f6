"""Loggers by class: a logger that needs a folder and has none writes to the folder of the run."""

import inspect
import json
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace

from seqlab.cli.configuration import check_typed

RUN_FOLDER = "the folder of the run"
"""Placeholder of the folder until the run has its name, and in its configuration."""
KEYS = ("--trainer.logger", "--trainer.logger+")


def in_run_folder(logger: Any) -> Any:
    """The value of ``logger`` in a configuration, with ``RUN_FOLDER`` where a class needs a folder and has none."""
    if isinstance(logger, list):
        return [in_run_folder(one) for one in logger]
    given = {"class_path": logger} if isinstance(logger, str) else logger
    if not isinstance(given, dict) or not _needs_folder(str(given.get("class_path"))):
        return logger
    return {**given, "init_args": {"save_dir": RUN_FOLDER, **(given.get("init_args") or {})}}


def _needs_folder(name: str) -> bool:
    module, _, kind = name.rpartition(".")
    try:
        found = getattr(import_module(module or "lightning.pytorch.loggers"), kind, None)
    except (ImportError, TypeError, ValueError):
        return False
    asked = inspect.signature(found).parameters.get("save_dir") if inspect.isclass(found) else None
    return asked is not None and asked.default is inspect.Parameter.empty


def words_in_run_folder(arguments: Iterable[str]) -> list[str]:
    """A command line with ``in_run_folder`` applied to its loggers."""
    words, done = iter(arguments), list[str]()
    for word in words:
        key, equals, value = word.partition("=")
        if key in KEYS:
            value = value if equals else next(words, "")
            done += [key, _spelled(key, value)]
        else:
            done.append(word)
    return done


def _spelled(key: str, value: str) -> str:
    check_typed(key, value)
    try:
        logger = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        return value
    known = in_run_folder(logger)
    return value if known == logger else json.dumps(known)


def fill(logger: Any, folder: Path) -> None:
    """Replaces ``RUN_FOLDER`` by the folder of a run in the parsed value of one logger or several."""
    for one in logger if isinstance(logger, list) else [logger]:
        inside = one.get("init_args") if isinstance(one, Namespace) else None
        if inside is not None and inside.get("save_dir") == RUN_FOLDER:
            inside.save_dir, inside.name = str(folder.parent), folder.name
            if "version" in inside:
                inside.version = ""
