"""``python -m seqlab.export CKPT``: the weights of a model for other programs."""

import json
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from seqlab.checkpoint import read_checkpoint
from seqlab.errors import UserError, nearest, reason_of
from seqlab.parser import Parser, run_verb

FORMATS = ("safetensors",)


def export(ckpt: str, output: str | None = None, format: str = "safetensors") -> Path:
    """Writes the weights of a model with all that is needed to make it again.

    The metadata of a safetensors file hold ``kind``, ``hyper_parameters`` and ``codec``, the last two as JSON.

    Args:
        ckpt: Checkpoint of the model.
        output: File to write; beside the checkpoint if not given.
        format: safetensors.

    Returns:
        The file.

    Raises:
        UserError: The checkpoint cannot be read, the file not written, or the format is unknown.
    """
    if format not in FORMATS:
        raise UserError(f"unknown format '{format}': {nearest(format, FORMATS)}")
    try:
        from safetensors import SafetensorError
        from safetensors.torch import save_file
    except ImportError:
        raise UserError("export writes with safetensors; install it with pip install 'seqlab[export]'") from None
    checkpoint = read_checkpoint(ckpt)
    path = Path(output) if output is not None else Path(ckpt).with_suffix(".safetensors")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        save_file(_own_memory(checkpoint["state_dict"]), unfinished, metadata=_metadata(checkpoint))
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        unfinished.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {reason_of(error)}") from None
    return path


def _own_memory(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor by itself, also those that a model shares: safetensors keeps no two views of one memory."""
    return {name: weight.clone().contiguous() for name, weight in weights.items()}


def _metadata(checkpoint: dict[str, Any]) -> dict[str, str]:
    record = checkpoint["seqlab"]
    plain = {"hyper_parameters": checkpoint["hyper_parameters"], "codec": record["codec"]}
    return {"kind": record.get("kind", "language_model"), **{key: json.dumps(value) for key, value in plain.items()}}


def _run(argv: list[str]) -> None:
    parser = Parser(prog="python -m seqlab.export", description="Writes the weights of a model for other programs.")
    parser.add_function_arguments(export, as_positional=True)
    options = parser.parse_sentence(argv).as_dict()
    print(f"wrote {export(**options)}")


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
