"""Conversion of checkpoints of earlier formats to the current format."""

from collections.abc import Mapping
from typing import Any

import yaml

from seqlab.errors import UserError

TASK_OF_KIND = {"language_model": "language", "ngram": "language", "seq2seq": "translation"}
OF_DATA = ("vocab_size", "source_vocab_size", "target_vocab_size")
DROPPED = ("bidirectional", "reset_after", "nonlinearity")


def variant(cell: str, options: Mapping[str, Any]) -> str:
    """The current row of ``CELLS`` for a cell with the options of format 1."""
    if cell == "gru" and options.get("reset_after") is False:
        return "gru_before"
    return "rnn_relu" if cell == "rnn" and options.get("nonlinearity") == "relu" else cell


def from_format_1(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Converts a checkpoint of format 1: one kind for each class of models, flat options, one or two codecs.

    Raises:
        UserError: The checkpoint has no codec.
    """
    record, given = checkpoint["seqlab"], checkpoint["hyper_parameters"]
    kind = record.get("kind", "language_model")
    if record.get("codec") is None:
        raise UserError("the checkpoint was saved without its codec, so that its tokens are unknown; train again")
    options = {name: value for name, value in given.items() if name not in (*OF_DATA, *DROPPED)}
    if kind == "seq2seq":
        options["bidirectional"] = given["bidirectional"]
    if "cell" in options:
        options["cell"] = variant(options["cell"], given)
    name = kind if kind in ("ngram", "seq2seq") else options["cell"]
    carry = None if kind == "ngram" or not record.get("carry") else tuple(record["carry"])
    converted = {
        **checkpoint,
        "hyper_parameters": {"model": name, "options": options},
        "seqlab": {
            "format": 2,
            "task": TASK_OF_KIND[kind],
            "model": name,
            "codecs": record["codec"] if kind == "seq2seq" else {"text": record["codec"]},
            "parameters": None,
            "data": record.get("data"),
            "corpus": record.get("corpus"),
            "carry": carry,
        },
    }
    if "callbacks" in checkpoint:
        renamed = {key.replace("ModelCheckpoint{", "KeepBest{"): kept for key, kept in checkpoint["callbacks"].items()}
        converted["callbacks"] = renamed
    if "run" in checkpoint:
        config = _configuration(checkpoint["run"]["config"])
        converted["run"] = {**checkpoint["run"], "config": config}
    return converted


def _configuration(text: str) -> str:
    config = yaml.safe_load(text)
    model = config.get("model", {})
    name = model.get("name", "gru")
    if name == "seq2seq":
        model["cell"] = variant(model.get("cell", "gru"), model)
    kept = {key: value for key, value in model.items() if key not in ("reset_after", "nonlinearity")}
    if name != "seq2seq":
        kept.pop("bidirectional", None)
        kept["name"] = variant(name, model)
    return yaml.safe_dump({**config, "model": kept})
