"""Trains as ``python -m seqlab.fit`` does, and dies of SIGKILL while it writes its n-th checkpoint.

    python tests/killed_writing.py half|whole N [OPTION OF FIT ...]

``half``: when half of the file is written; ``whole``: when all of it is, and it is not yet in its place.
"""

import io
import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import torch

from seqlab.fit import main

MOMENTS = ("half", "whole")


def die(*_: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process outlived SIGKILL")


def die_writing(moment: str, number: int) -> None:
    """Makes this process die in its so many-th writing of a file by ``torch.save``, or right after it."""
    save, left = torch.save, number

    def save_until(value: object, file: BinaryIO, **options: Any) -> None:
        nonlocal left
        left -= isinstance(file, io.BufferedWriter)  # tensors are pickled by torch.save too, but in memory
        if left:
            return save(value, file, **options)
        content = io.BytesIO()
        save(value, content, **options)
        file.write(content.getvalue()[: content.tell() // 2] if moment == "half" else content.getvalue())
        file.flush()
        if moment == "half":
            die()
        Path.replace = die  # type: ignore[method-assign]
        return None

    torch.save = save_until  # type: ignore[assignment]


if __name__ == "__main__":
    die_writing(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
