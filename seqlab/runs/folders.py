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
"""Bytes of a name that was given."""
RESULT = "result.json"
"""What a finished run reached."""
CHECKPOINTS = "checkpoints"


def run_name(*words: str) -> str:
    """Words as one file name."""
    return re.sub(r"[^\w.,=+@-]+", "_", "-".join(words))[:LONGEST_NAME]


def free_name(logs: Path, wanted: str) -> str:
    """The wanted name, or ``<wanted>-2``, ``-3``... if earlier runs took it."""
    name, number = wanted, 1
    while (logs / name).exists():
        number += 1
        name = f"{wanted}-{number}"
    return name


@contextmanager
def claimed(logs: Path, wanted: str, may_number: bool, keeps: bool) -> Iterator[Path]:
    """The folder of a run, made and tried at once, so that two runs that start together keep apart.

    It is removed again where nothing was left in it.

    Args:
        logs: Folder of the runs.
        wanted: Name of the run.
        may_number: Whether it becomes ``<wanted>-2``, ``-3``... where another run has the name.
        keeps: Whether the run leaves anything.

    Raises:
        UserError: It cannot be made or written to.
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
            with suppress(OSError):  # it holds something, or was never made
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
    """Whether a folder holds what another run of its name would replace: a result, or a checkpoint.

    One that was killed before its first checkpoint is begun anew.
    """
    return (folder / RESULT).exists() or any((folder / CHECKPOINTS).glob("*.ckpt"))


def check_free(logs: Path, name: str) -> None:
    """Refuses the name of a run that is there.

    Raises:
        UserError: There is one.
    """
    if holds_run(logs / name):
        raise UserError(
            f"run '{name}' is there already, under {logs}; go on with it with --ckpt_path last --run {name}, replace "
            f"it with --overwrite, or give a free name such as --run {free_name(logs, name)}"
        )


def is_within(path: Path, folder: Path) -> bool:
    """Whether a file lies in a folder, however the two are written."""
    return real_path(path).is_relative_to(real_path(folder))


def clear(folder: Path) -> None:
    """Removes all that a run left in its folder, but the lock of whoever is to train there."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def runs_folder(root: str | Path) -> Path:
    """``lightning_logs`` in a folder.

    Raises:
        UserError: It could not be made or written there.
    """
    logs = Path(root) / LOGS
    place = next(path for path in (logs.absolute(), *logs.absolute().parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise UserError(f"no runs can be kept in {root}: {place} is no folder that can be written to; name another one")
    return logs


def check_name(name: str) -> str:
    """The name of a run as it was given.

    Raises:
        UserError: It is not the plain name of a folder.
    """
    if not name.strip() or name in (".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", name):
        raise UserError(f"run {name!r} must be the plain name of a folder, without slashes")
    if not name.isprintable():
        raise UserError(f"run {name!r} must be a name of letters, digits and marks that can be shown")
    if len(os.fsencode(name)) > LONGEST_GIVEN:
        raise UserError(f"run '{name[:40]}...' must have at most {LONGEST_GIVEN} bytes")
    return name


def checkpoint_in(path: str | Path, *names: str) -> Path:
    """The checkpoint that a path means: a file itself, of a run's folder the first of ``names`` that is there.

    Args:
        path: Path of a file, of a run's folder, or of its folder ``checkpoints``.
        names: Names of checkpoints; ``best`` and, where there is none, ``last``, if none are given.

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
        raise UserError(f"{path} is a folder without checkpoints; give a run's folder, or a file such as best.ckpt")
    return found


def checkpoint_path(logs: Path, which: str, run: str | None) -> Path:
    """The checkpoint that ``--ckpt_path`` means.

    Args:
        logs: Folder of the runs.
        which: ``last``, ``best``, a file, or the folder of a run, whose last checkpoint is meant.
        run: Name of the run; the one whose checkpoint is newest if not given.

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
    """Writes plain values as JSON, whole or not at all.

    Raises:
        OSError: The disk is full or the folder cannot be written; what stood at the path stands there still.
    """
    with whole_file(path) as file:
        file.write(f"{json.dumps(content, indent=1)}\n".encode())
