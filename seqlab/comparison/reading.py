"""Command lines of ``fit`` read as ``fit`` reads them, without building what they name."""

from typing import Any

from seqlab.cli.arguments import TrainingParser
from seqlab.cli.plan import plan
from seqlab.cli.settings import read_settings
from seqlab.errors import UserError

OWN = ("model", "seeds", "vary", "jobs", "output", "sampler", "trials", "folds", "bar")
"""Options of a comparison."""


class _Parser(TrainingParser):
    """Of ``fit``; of a misspelt name it says that an option of the comparison may have been meant."""

    others = OWN


def read_options(arguments: list[str]) -> dict[str, Any]:
    """Every option that a command line of ``fit`` stands for, as plain values; the data may be absent.

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
