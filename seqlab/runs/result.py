"""The results of a finished run, as ``result.json`` in its folder and in TensorBoard's HParams tab."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqlab.errors import reason_of
from seqlab.metrics import Measure
from seqlab.runs.folders import RESULT, write_json
from seqlab.runs.provenance import arithmetic


def told(measures: Mapping[str, Measure]) -> dict[str, dict[str, str]]:
    """The display formats of measures, as plain values."""
    return {name: {"title": one.title, "form": one.form, "better": one.better} for name, one in measures.items()}


def write_result(folder: Path, content: Mapping[str, Any]) -> None:
    """Writes the results for other programs; prints a message if this fails.

    ``seconds`` are those of training and validation; in a resumed run also those up to the resumed checkpoint.
    """
    try:
        write_json(folder / RESULT, {**content, "arithmetic": arithmetic()})
    except OSError as error:
        print(f"seqlab: cannot write {folder / RESULT}: {reason_of(error)}", file=sys.stderr)
