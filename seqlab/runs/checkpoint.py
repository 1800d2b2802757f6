"""Checkpoints: tensors and plain values, written whole or not at all, read without running their code."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.files import whole_file
from seqlab.runs.conversion import from_format_1

FORMAT = 2
"""Version of what stands under ``checkpoint["seqlab"]``."""


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Writes a checkpoint, in a folder that is made if need be.

    Raises:
        OSError: The disk is full or the folder cannot be written; what stood at the path stands there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        torch.save(checkpoint, file)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """What a run saved; only tensors and plain values are ever loaded.

    Raises:
        UserError: The file is missing, damaged, unsafe or not a checkpoint of seqlab.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint '{path}'; python -m seqlab.fit makes one") from None
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} holds more than tensors and plain values, or is no checkpoint; it was not loaded"
        ) from None
    except Exception as error:  # what damaged bytes make torch raise is anybody's guess
        reason = "is a folder" if Path(path).is_dir() else "cannot be read as a checkpoint (damaged or cut short)"
        raise UserError(f"{path} {reason}; use another one of the run, such as best.ckpt or last.ckpt") from error
    record = checkpoint.get("seqlab") if isinstance(checkpoint, dict) else None
    if not isinstance(record, dict):
        raise UserError(f"{path} is not a checkpoint of seqlab; use one that python -m seqlab.fit wrote")
    if record.get("format") == 1:
        return from_format_1(checkpoint)
    if record.get("format") != FORMAT:
        raise UserError(
            f"{path} has checkpoint format {record.get('format')}, but this seqlab reads {FORMAT}; train anew"
        )
    return checkpoint


def check_resumable(path: Path, weights: Mapping[str, Tensor], codecs: object) -> None:
    """Checks that a model about to be trained is the one that a checkpoint holds.

    Args:
        path: Of the checkpoint.
        weights: Of the model, by name.
        codecs: States of the codecs of the data that it is about to see.

    Raises:
        UserError: Their weights differ in name or shape, or their ids stand for other tokens.
    """
    checkpoint = read_checkpoint(path)
    kept, way_out = checkpoint["state_dict"], "leave out the options that change it, or train anew without --ckpt_path"
    for name in sorted(kept.keys() | weights.keys()):
        there, here = (_size(part.get(name)) for part in (kept, weights))
        if there != here:
            raise UserError(f"{path} holds another model ({name} is {there} there, {here} here); {way_out}")
    if checkpoint["seqlab"]["codecs"] != codecs:
        raise UserError(f"the model in {path} reads other tokens than this data has; {way_out}")


def _size(weight: Tensor | None) -> str:
    return "missing" if weight is None else " x ".join(map(str, weight.shape))
