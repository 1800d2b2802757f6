"""Run folders: ``lightning_logs/<run>`` with TensorBoard events, ``config.yaml``, ``checkpoints``, ``result.json``."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from seqlab.errors import UserError, nearest, reason_of
from seqlab.files import real_path, whole_file
from seqlab.runs.lock import LOCK
from seqlab.runs.writable import check_folder

LOGS = "lightning_logs"
LONGEST_NAME = 80
LONGEST_GIVEN = 200
"""Most bytes of a given name."""
RESULT = "result.json"
"""File of a finished run's results."""
CHECKPOINTS = "checkpoints"


def run_name(*words: str) -> str:
    """Words joined to a file name."""
    return re.sub(r"[^\w.,=+@-]+", "_", "-".join(words))[:LONGEST_NAME]


def free_name(logs: Path, wanted: str) -> str:
    """The wanted name, or ``<wanted>-2``, ``-3``... if earlier runs have it."""
    name, number = wanted, 1
    while (logs / name).exists():
        number += 1
        name = f"{wanted}-{number}"
    return name


@contextmanager
def claimed(logs: Path, wanted: str, may_number: bool, keeps: bool) -> Iterator[Path]:
    """Creates and tests the folder of a run at once, so that two runs that start together get different folders.

    An empty folder is removed at the end.

    Args:
        logs: Folder of the runs.
        wanted: Name of the run.
        may_number: Whether it becomes ``<wanted>-2``, ``-3``... if another run has the name.
        keeps: Whether the run writes files.

    Raises:
        UserError: The folder cannot be created or written.
    """
    folder = logs / (free_name(logs, wanted) if may_number else wanted)
    new = [path for path in (logs, *logs.parents) if not path.exists()]
    try:
        if keeps:
            folder = _made(folder, wanted, may_number)
            for place in (folder, folder / CHECKPOINTS):
                check_folder(place)
        yield folder
    finally:
        for path in (folder, *new):
            with suppress(OSError):  # it is not empty, or was never created
                path.rmdir()


def _made(folder: Path, wanted: str, may_number: bool) -> Path:
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not may_number:
                return folder
            folder = folder.parent / free_name(folder.parent, wanted)
        except OSError as error:
            raise UserError(f"cannot make {folder}: {reason_of(error)}; give another --run or folder of runs") from None


def holds_run(folder: Path) -> bool:
    """Whether a folder holds a result or a checkpoint, which another run of the same name would replace.

    A run that was killed before its first checkpoint starts again.
    """
    return (folder / RESULT).exists() or any((folder / CHECKPOINTS).glob("*.ckpt"))


def check_free(logs: Path, name: str) -> None:
    """Refuses the name of an existing run.

    Raises:
        UserError: The run exists.
    """
    if holds_run(logs / name):
        raise UserError(
            f"run '{name}' is there already, under {logs}; go on with it with --ckpt_path last --run {name}, replace "
            f"it with --overwrite, or give a free name such as --run {free_name(logs, name)}"
        )


def is_within(path: Path, folder: Path) -> bool:
    """Whether a file lies in a folder, with links resolved."""
    return real_path(path).is_relative_to(real_path(folder))


def clear(folder: Path) -> None:
    """Removes all files of a run from its folder, except the lock."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def runs_folder(root: str | Path) -> Path:
    """``lightning_logs`` in a folder.

    Raises:
        UserError: It cannot be created or written there.
    """
    logs = Path(root) / LOGS
    place = next(path for path in (logs.absolute(), *logs.absolute().parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise UserError(f"no runs can be kept in {root}: {place} is no folder that can be written to; name another one")
    return logs


def check_name(name: str) -> str:
    """The given name of a run, checked.

    Raises:
        UserError: The name is not a plain folder name.
    """
    if not name.strip() or name in (".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", name):
        raise UserError(f"run {name!r} must be the plain name of a folder, without slashes")
    if not name.isprintable():
        raise UserError(f"run {name!r} must be a name of letters, digits and marks that can be shown")
    if len(os.fsencode(name)) > LONGEST_GIVEN:
        raise UserError(f"run '{name[:40]}...' must have at most {LONGEST_GIVEN} bytes")
    return name


def checkpoint_in(path: str | Path, *names: str) -> Path:
    """The checkpoint at a path: the file itself, or in a run's folder the first existing one of ``names``.

    Args:
        path: Path of a file, of a run's folder, or of its folder ``checkpoints``.
        names: Names of checkpoints; if not given, ``best``, or ``last`` without one.

    Raises:
        UserError: The folder holds no such checkpoint.
    """
    folder = Path(path)
    if not folder.is_dir():
        return folder
    places = [
        place / f"{name}.ckpt" for name in names or ("best", "last") for place in (folder / "checkpoints", folder)
    ]
    if (found := next((place for place in places if place.is_file()), None)) is None:
        if is_huggingface(folder):
            raise UserError(
                f"{path} holds weights of Hugging Face, which only inspect --word reads; give a run's folder"
            )
        raise UserError(f"{path} is a folder without checkpoints; give a run's folder, or a file such as best.ckpt")
    return found


def is_huggingface(path: str | Path) -> bool:
    """Whether a path is a folder of Hugging Face's weights instead of a run's folder."""
    folder = Path(path)
    return (folder / "config.json").is_file() and not holds_run(folder) and not any(folder.glob("*.ckpt"))


def checkpoint_path(logs: Path, which: str, run: str | None) -> Path:
    """The checkpoint of ``--ckpt_path``.

    Args:
        logs: Folder of the runs.
        which: ``last``, ``best``, a file, or the folder of a run with its last checkpoint.
        run: Name of the run; the run with the newest checkpoint if not given.

    Raises:
        UserError: There is no such file, run or checkpoint.
    """
    if which not in ("last", "best"):
        if Path(which).is_dir():
            return checkpoint_in(which, "last")
        if "://" in which or not Path(which).is_file():
            raise UserError(
                f"there is no checkpoint file '{which}'; give last, best, a run's folder or the path of a .ckpt file"
            )
        return Path(which)
    runs = {path.parent.parent.name: path for path in logs.glob(f"*/checkpoints/{which}.ckpt")}
    if not runs:
        raise UserError(f"no run under {logs} has a checkpoint '{which}'; train one with python -m seqlab.fit")
    if run is None:
        return max(runs.values(), key=lambda path: path.stat().st_mtime_ns)
    if run not in runs:
        raise UserError(f"run '{run}' under {logs} has no checkpoint '{which}': {nearest(run, runs)}")
    return runs[run]


def write_json(path: Path, content: Any) -> None:
    """Writes plain values as JSON, completely or not at all.

    Raises:
        OSError: The disk is full or the folder cannot be written; an old file at the path stays.
    """
    with whole_file(path) as file:
        file.write(f"{json.dumps(content, indent=1)}\n".encode())
