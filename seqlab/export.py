"""``python -m seqlab.export CKPT``: a model for other programs."""

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor

from seqlab.cli.parser import Parser, run_verb
from seqlab.errors import UserError, nearest, reason_of
from seqlab.files import whole_file
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.onnx_step import onnx_model
from seqlab.runs.checkpoint import load_network, read_checkpoint


def _safetensors(checkpoint: dict[str, Any]) -> bytes:
    from safetensors.torch import save

    return save(_own_memory(checkpoint["state_dict"]), _metadata(checkpoint))


def _onnx(checkpoint: dict[str, Any]) -> bytes:
    from onnx.helper import set_model_props

    metadata = _metadata(checkpoint)
    if metadata["kind"] != "language_model":
        raise UserError(
            f"format onnx is for recurrent language models, and the checkpoint holds one of kind {metadata['kind']}; "
            "leave out --format onnx for its weights as safetensors"
        )
    network, _ = load_network(checkpoint)
    assert isinstance(network, LanguageNetwork)
    first_state = {part: rows.tolist() for part, rows in network.recurrent.first_state.items()}
    model = onnx_model(network)
    set_model_props(model, {**metadata, "first_state": json.dumps(first_state)})
    return model.SerializeToString()


def _own_memory(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor by itself, also those that a model shares: safetensors keeps no two views of one memory."""
    return {name: weight.clone().contiguous() for name, weight in weights.items()}


def _metadata(checkpoint: dict[str, Any]) -> dict[str, str]:
    record = checkpoint["seqlab"]
    plain = {"hyper_parameters": checkpoint["hyper_parameters"], "codec": record["codec"]}
    return {"kind": record.get("kind", "language_model"), **{key: json.dumps(value) for key, value in plain.items()}}


FORMATS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any]], bytes]]] = {
    "safetensors": (("safetensors",), _safetensors),
    "onnx": (("onnx", "onnxscript"), _onnx),
}
"""The packages that a format needs, and what makes a file of a checkpoint."""


def export(ckpt: str, output: str | None = None, format: str = "safetensors") -> Path:
    """Writes a model with all that is needed to use it elsewhere.

    The metadata of the file hold ``kind``, ``hyper_parameters`` and ``codec``, the last two as JSON. Those of an onnx
    file, whose inputs and outputs ``onnx_model`` tells, hold ``first_state`` too: the parts ``(layers, hidden_size)``
    of the state before the first token where it was learned, ``{}`` where it is zero.

    Args:
        ckpt: Checkpoint of the model.
        output: File to write; beside the checkpoint if not given.
        format: safetensors, the weights; or onnx, a recurrent language model over any batch and time, state in and out.

    Returns:
        The file.

    Raises:
        UserError: The checkpoint cannot be read, the file not written, or the format is unknown or not for this model.
    """
    if format not in FORMATS:
        raise UserError(f"unknown format '{format}': {nearest(format, FORMATS)}")
    packages, content_of = FORMATS[format]
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise UserError(f"format {format} needs {' and '.join(missing)}; install with pip install 'seqlab[export]'")
    content = content_of(read_checkpoint(ckpt))
    path = Path(output) if output is not None else Path(ckpt).with_suffix(f".{format}")
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason_of(error)}") from None
    return path


def _run(argv: list[str]) -> None:
    parser = Parser(prog="python -m seqlab.export", description="Writes a model for other programs.")
    parser.add_function_arguments(export, as_positional=True)
    options = parser.parse_sentence(argv).as_dict()
    print(f"wrote {export(**options)}")


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
