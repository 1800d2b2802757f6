"""Run folders: ``lightning_logs/<run>`` with TensorBoard events, ``config.yaml`` and ``checkpoints``."""

import re
from pathlib import Path

from seqlab.errors import UserError, nearest

LOGS = "lightning_logs"
LONGEST_NAME = 80


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


def checkpoint_path(logs: Path, which: str, run: str | None) -> Path:
    """The checkpoint that ``--ckpt_path`` means.

    Args:
        logs: Folder of the runs.
        which: ``last``, ``best`` or a file.
        run: Name of the run; the one whose checkpoint is newest if not given.

    Raises:
        UserError: There is no such file, run or checkpoint.
    """
    if which not in ("last", "best"):
        if "://" in which or not Path(which).is_file():
            raise UserError(f"there is no checkpoint file '{which}'; give last, best or the path of a .ckpt file")
        return Path(which)
    runs = {path.parent.parent.name: path for path in logs.glob(f"*/checkpoints/{which}.ckpt")}
    if not runs:
        raise UserError(f"no run under {logs} has a checkpoint '{which}'; train one with python -m seqlab.fit")
    if run is None:
        return max(runs.values(), key=lambda path: path.stat().st_mtime_ns)
    if run not in runs:
        raise UserError(f"run '{run}' under {logs} has no checkpoint '{which}': {nearest(run, runs)}")
    return runs[run]
