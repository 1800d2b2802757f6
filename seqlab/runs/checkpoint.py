"""Checkpoints: tensors and plain values, written completely or not at all, read without running code from them."""

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from seqlab.errors import UserError, reason_of
from seqlab.files import open_regular, whole_file
from seqlab.runs.conversion import from_format_1
from seqlab.runs.schema import Checkpoint, OldCheckpoint, check_codecs, check_finite, check_plain, check_shape

FORMAT = 2
"""Version of the content of ``checkpoint["seqlab"]``."""

ALLOCATES = re.compile(rb"c(?:builtins|__builtin__|torch\.?\w*)\n(?:bytearray|\w*Tensor|(?:Untyped|Typed)Storage)\n")
"""Functions that a malicious pickle could call with a huge size; no checkpoint uses them."""


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Writes a checkpoint and creates its folder if needed.

    Raises:
        OSError: The disk is full or the folder cannot be written; an old file at the path stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        try:
            torch.save(checkpoint, file)
        except RuntimeError as error:  # torch closes its archive after a failed write and raises again
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Reads a checkpoint; only tensors and plain values are ever loaded.

    Its bytes are verified by their CRCs, and its keys, types, sizes and weights are checked before use.

    Raises:
        UserError: The file is missing, damaged, unsafe or not a checkpoint of seqlab, or a weight is not finite.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            _check_archive(file, size, path)
            file.seek(0)
            checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint '{path}'; python -m seqlab.fit makes one") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; use a file in it, such as best.ckpt or last.ckpt") from None
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {path}: {reason_of(error)}") from None
    except pickle.UnpicklingError:
        raise _unsafe(path) from None
    except Exception as error:  # damaged bytes make torch raise many kinds of exceptions
        raise _damaged(path) from error
    check_plain(checkpoint, size, path)
    return _of_this_format(checkpoint, path)


def _of_this_format(checkpoint: Any, path: object) -> dict[str, Any]:
    record = checkpoint.get("seqlab") if isinstance(checkpoint, dict) else None
    if not isinstance(record, dict):
        raise UserError(f"{path} is not a checkpoint of seqlab; use one that python -m seqlab.fit wrote")
    version = record.get("format")
    if not isinstance(version, int) or version not in (1, FORMAT):
        said = version if isinstance(version, int | float | str | None) else f"of a {type(version).__name__}"
        raise UserError(f"{path} has checkpoint format {said}, but this seqlab reads {FORMAT}; train anew")
    if version == 1:
        check_shape(checkpoint, OldCheckpoint, path)
        try:
            checkpoint = from_format_1(checkpoint)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UserError(f"{path} does not hold what format 1 does ({reason_of(error)}); use another one") from None
    check_shape(checkpoint, Checkpoint, path)
    check_codecs(checkpoint, path)
    check_finite(checkpoint["state_dict"], path)
    for optimizer in checkpoint.get("optimizer_states", []):
        for number, kept in optimizer["state"].items():
            tensors = {key: one for key, one in kept.items() if isinstance(one, Tensor)}
            check_finite({f"{key} of the optimizer, weight {number}": one for key, one in tensors.items()}, path)
    return checkpoint


def _check_archive(file: BinaryIO, size: int, path: object) -> None:
    """Checks the zip file of a checkpoint: every CRC, and that no member unpacks to more bytes than the file has."""
    if not file.read(4).startswith(b"PK"):
        raise _unsafe(path) if size else _damaged(path)
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
            if not stored or len({*names}) < len(names) or sum(member.file_size for member in members) > size:
                raise _unsafe(path)
            damaged = archive.testzip()
            if damaged is not None:
                raise _damaged(path)
            for name in names:
                if name.endswith(".pkl") and ALLOCATES.search(archive.read(name)):
                    raise _unsafe(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OverflowError):
        raise _damaged(path) from None


def _unsafe(path: object) -> UserError:
    return UserError(f"{path} holds more than tensors and plain values, or is no checkpoint; it was not loaded")


def _damaged(path: object) -> UserError:
    return UserError(
        f"{path} cannot be read as a checkpoint (damaged or cut short); use another one of the run, such as best.ckpt "
        "or last.ckpt"
    )


def check_resumable(checkpoint: Mapping[str, Any], path: Path, weights: Mapping[str, Tensor], codecs: object) -> None:
    """Checks that a checkpoint holds the same model as the one to train.

    Args:
        checkpoint: Content of the checkpoint; of its weights only sizes and types are read.
        path: Its path, for messages.
        weights: Weights of the model, by name.
        codecs: States of the codecs of the training data.

    Raises:
        UserError: The weights differ in name or shape, or the ids stand for other tokens.
    """
    kept, way_out = checkpoint["state_dict"], "leave out the options that change it, or train anew without --ckpt_path"
    check_weights(kept, weights, path, way_out)
    if checkpoint["seqlab"]["codecs"] != codecs:
        raise UserError(f"the model in {path} reads other tokens than this data has; {way_out}")


def check_weights(kept: Mapping[str, Tensor], weights: Mapping[str, Tensor], path: object, way_out: str) -> None:
    """Checks that saved weights fit a model by name, shape and kind of numbers.

    Raises:
        UserError: A weight is missing, unknown, or of another size.
    """
    for name in sorted(kept.keys() | weights.keys()):
        there, here = (_size(part.get(name)) for part in (kept, weights))
        if there != here:
            raise UserError(f"{path} holds another model ({name} is {there} there, {here} here); {way_out}")


def _size(weight: Tensor | None) -> str:
    if weight is None:
        return "missing"
    shape = " x ".join(map(str, weight.shape)) or "one number"
    return shape if weight.is_floating_point() else f"{shape} of {str(weight.dtype).removeprefix('torch.')}"
