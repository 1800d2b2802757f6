"""Data made again from its recipe: the name of a corpus and its options."""

from inspect import signature
from typing import Any, TypeVar

from seqlab.cli.parser import pick
from seqlab.data import DATA
from seqlab.data.data_module import DataModule
from seqlab.errors import UserError, nearest

DataT = TypeVar("DataT", bound=DataModule)


def names_of(wanted: type[DataModule]) -> list[str]:
    """What the data of a kind are called."""
    return [name for name, kind in DATA.items() if issubclass(kind, wanted)]


def data_of(recipe: dict[str, Any], wanted: type[DataT], **more: object) -> DataT:
    """The data of a recipe.

    Args:
        recipe: Its name under ``name``, and its options.
        wanted: What kind of data it must be.
        more: Arguments that no recipe holds.

    Raises:
        UserError: The name or an option is unknown, or the data is of another kind.
    """
    kind = DATA[pick("data", recipe["name"], DATA)]
    if not issubclass(kind, wanted):
        raise UserError(f"{recipe['name']} cannot be read here; choose one of {', '.join(names_of(wanted))}")
    options = {key: value for key, value in recipe.items() if key != "name"}
    known = [key for key in signature(wanted).parameters if key not in kind.answered]
    if unknown := next((key for key in options if key not in known), None):
        raise UserError(f"unknown option of the data '{unknown}': {nearest(unknown, known)}")
    return kind(**options, **more)
