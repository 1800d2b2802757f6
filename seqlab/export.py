"""``python -m seqlab.export CKPT``: writes a model for other programs."""

import sys
from pathlib import Path
from typing import Any

from seqlab import VERBS
from seqlab.cli.annotations import literals_of
from seqlab.cli.objects import in_python
from seqlab.cli.parser import Parser
from seqlab.cli.process import run_verb
from seqlab.cli.verbs import add_options_of, checked, load_for, named_checkpoint, of_checkpoint, options_of
from seqlab.errors import UserError, nearest, reason_of
from seqlab.files import whole_file
from seqlab.models.model import Model

USAGE = "python -m seqlab.export CKPT [--output FILE] [--format safetensors]"
EXAMPLES = (
    "python -m seqlab.export lightning_logs/gru-time_machine",
    "python -m seqlab.export lightning_logs/gru-time_machine --format onnx --output gru.onnx",
)


def export(ckpt: str, output: str | None = None, format: str = "safetensors") -> Path:
    """Writes a model with everything that other programs need.

    Args:
        ckpt: Checkpoint of the model, or the folder of its run with the best checkpoint.
        output: File to write; next to the checkpoint if not given.
        format: safetensors (the weights); for recurrent and Transformer language models also onnx (the network for any
            batch and time); for word vectors also word2vec, word2vec_binary and glove.

    Returns:
        The file; its metadata hold ``task`` and ``model``, and as JSON ``options`` and ``codecs``.

    Raises:
        UserError: The checkpoint cannot be read, the file cannot be written, or the format does not fit the model.
    """
    with in_python():
        model = load_for("export", ckpt).model
        return _write(model, ckpt, output, **checked(model, "export", {"format": format}))


def _write(model: Model, ckpt: str, output: str | None, **options: Any) -> Path:
    known = literals_of(options_of(type(model), "export")["format"].annotation)
    if options["format"] not in known:
        raise UserError(f"unknown format '{options['format']}' of a {model.says}: {nearest(options['format'], known)}")
    content = model.export(**options)
    path = Path(output) if output is not None else Path(ckpt).with_suffix(f".{options['format']}")
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason_of(error)}") from None
    return path


def _run(argv: list[str]) -> None:
    parser = Parser(usage=USAGE, description=VERBS["export"], examples=EXAMPLES, epilog=of_checkpoint("export"))
    parser.add_argument("ckpt", type=str, help="Checkpoint of the model, or the folder of its run.")
    parser.add_argument("--output", type=str | None, help="File to write; next to the checkpoint if not given.")
    loaded = named_checkpoint(parser, "export", argv)
    named = add_options_of(parser, loaded, "export")
    options = parser.parse_sentence(argv).as_dict()
    assert loaded is not None
    path = _write(loaded.model, loaded.ckpt, options["output"], **{name: options[name] for name in named})
    print(f"wrote {path}")


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
