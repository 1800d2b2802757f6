"""Reads command lines of ``fit`` like ``fit``, without building data or models."""

from typing import Any

from seqlab.cli.arguments import TrainingParser
from seqlab.cli.plan import plan
from seqlab.cli.settings import read_settings
from seqlab.errors import UserError

OWN = ("model", "seeds", "vary", "jobs", "output", "sampler", "trials", "folds", "bar")
"""Options of a comparison."""


class _Parser(TrainingParser):
    """The parser of ``fit``; for a misspelt name it also proposes options of the comparison."""

    others = OWN


def read_options(arguments: list[str]) -> dict[str, Any]:
    """All options of a command line of ``fit``, as plain values; the data need not exist.

    Raises:
        UserError: A file, a name, a key or a value is wrong, or the run would leave nothing to compare.
    """
    options = read_settings(plan(arguments), _Parser).as_plain()
    trainer = options["trainer"]
    trainer.pop("default_root_dir")
    if trainer["fast_dev_run"]:
        raise UserError("trainer.fast_dev_run keeps nothing that could be compared; leave it out")
    if trainer["logger"] not in (None, True):
        raise UserError("trainer.logger must stay TensorBoard's, whose events a comparison reads; leave it out")
    return options
