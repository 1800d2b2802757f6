"""Data from its recipe: the name of a corpus and its options."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, get_type_hints

from seqlab.bounds import check_all
from seqlab.cli.parser import pick
from seqlab.data import DATA
from seqlab.data.data_module import DataModule
from seqlab.errors import UserError, nearest
from seqlab.files import user_path
from seqlab.shapes import mismatch


def data_of(recipe: Mapping[str, Any], names: Sequence[str], codecs: Mapping[str, Any] | None = None) -> DataModule:
    """The data of a recipe.

    Args:
        recipe: Options of the data, with its name under ``name``.
        names: Names of the data that may be read here.
        codecs: Codecs of a checkpoint.

    Raises:
        UserError: The name or an option is unknown, or the data is of another kind.
    """
    name = pick("data", str(recipe["name"]), DATA)
    if name not in names:
        raise UserError(f"{recipe['name']} cannot be read here; choose one of {', '.join(names)}")
    options = {key: value for key, value in recipe.items() if key != "name"}
    known = options_of_data(DATA[name])
    if unknown := next((key for key in options if key not in known), None):
        raise UserError(f"unknown option of the data '{unknown}': {nearest(unknown, known)}")
    check_all("data", options)
    hints = get_type_hints(DATA[name].__init__)
    for key, value in options.items():
        if found := mismatch(value, hints.get(key, Any), key):
            raise UserError(f"{found}, which the data '{name}' does not take; see --help")
    read: Callable[..., DataModule] = DATA[name]
    return read(**options, **({} if codecs is None else {"codecs": codecs}))


def options_of_data(kind: type[DataModule]) -> list[str]:
    """Names of the options of a kind of data, including those of its base, without options that it fixes itself."""
    bases = [one for one in kind.__mro__ if issubclass(one, DataModule) and "__init__" in vars(one)]
    named = dict.fromkeys(name for one in bases for name in signature(one).parameters)
    return [name for name in named if name not in (*kind.answered, "codecs", "kwargs")]


def reused(trained_on: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The base recipe for new options: the old recipe, without its held-out files if another text is read; for another
    kind of data only the options that the checkpoint fixes."""
    name = pick("data", str(given.get("name", trained_on["name"])), DATA)
    kind, elsewhere = DATA[name], is_new(trained_on, given)
    if name != trained_on["name"]:
        return {key: value for key, value in trained_on.items() if key in kind.of_codecs and key not in kind.answered}
    return {key: value for key, value in trained_on.items() if not (elsewhere and key in kind.held_out)}


def is_new(trained_on: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether options name other files than a recipe."""
    kind = DATA[pick("data", str(given.get("name", trained_on["name"])), DATA)]
    return any(
        given.get(key) is not None and _places(given[key]) != _places(trained_on.get(key))
        for key in kind.of_files
        if key not in kind.answered
    )


def _places(files: Any) -> list[Path]:
    listed = files if isinstance(files, list) else [files]
    return [user_path(file).absolute() for file in listed if file is not None]
