"""Locks of runs and of comparisons: held by others, left behind, and spoilt."""

import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seqlab.errors import UserError
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.lock import LOCK, STALE

from .sound import QUIET, Sound, fit_of
from .verdict import Attack

HELD = "held"
"""Name of the run that is trained by others."""


def _said(host: str = "elsewhere", process: object = 7, ago: float = 0.0) -> str:
    return json.dumps({"host": host, "process": process, "seen": time.time() - ago})


HERE = socket.gethostname()
LOCKS: tuple[tuple[dict[str, Any] | None, bool, bool], ...] = (
    *(
        ({"host": HERE, "process": process, "ago": ago}, True, True)
        for process, ago in ((os.getpid(), 0.0), (1, 1000.0))
    ),
    *(({"ago": ago}, True, True) for ago in (0.0, 2 * STALE)),
    (None, True, True),
    *(({"ago": ago}, False, True) for ago in (0.0, 100.0, -(10.0**9))),
    *(({"ago": ago}, False, False) for ago in (2 * STALE, 10.0**9)),
    ({"host": HERE, "process": 1}, False, False),
)
"""What a lock says, nothing for None, whether a process holds it, and whether it must be believed."""


def _spoilt() -> dict[str, Callable[[Path], object]]:
    """What may lie where the lock does; who holds none must not keep a run from being trained."""
    texts = {
        "nothing": "",
        "no object": "[]",
        "a number": "7",
        "deep": "[" * 1000,
        "deep objects": '{"host":' * 200,
        "control": "\0" * 200,
        "an infinite process": '{"host": "", "process": 1e400, "seen": 0}',
        "no process": _said("", "none"),
        "a vast process": '{"host": "x", "process": ' + "9" * 500 + ', "seen": 0}',
        "endless": '{"host": "x", "process": 7, "seen": -1e400}',
        "no number": '{"host": "x", "process": 7, "seen": NaN}',
        "surrogate": '{"host": "\\ud800", "process": 7, "seen": 0}',
        "large": "x" * 10**7,
    }
    known: dict[str, Callable[[Path], object]] = {
        name: lambda lock, text=text: lock.write_text(text) for name, text in texts.items()
    }
    return known | {
        "bytes": lambda lock: lock.write_bytes(b"\xff" * 300),
        "a folder": lambda lock: lock.mkdir(),
        "a pipe": lambda lock: os.mkfifo(lock),
        "a link to nothing": lambda lock: lock.symlink_to("missing"),
        "a link to itself": lambda lock: lock.symlink_to(lock),
        "a link to outside": lambda lock: lock.symlink_to(lock.parents[3] / "escaped"),
    }


def locks(sound: Sound) -> Iterator[Attack]:
    """A second process that trains a run, begins it anew, or compares in one folder; and what died and left a lock."""
    folder = sound.run(HELD)
    fresh = [*fit_of("language"), "--run", HELD]
    asked = {
        "goes on": ["fit", "--ckpt_path", "last", "--run", HELD, "--trainer.max_epochs", "3", *QUIET],
        "begins anew": [*fresh, "--overwrite", "true"],
        "the same again": fresh,
    }

    def attack(name: str, words: list[str], spoil: Callable[[Path], object], held: bool, refused: bool) -> Attack:
        def prepare() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(sound.run("language"), folder)
            (folder / LOCK).unlink(missing_ok=True)
            spoil(folder / LOCK)

        def befalls() -> None:
            if held:
                _hold(folder / LOCK)

        return Attack(name, words, prepare, befalls, lambda: _lost(folder, refused), refused)

    for what, words in asked.items():
        anew = what == "the same again"  # refused because the run is there
        for says, is_held, holds in LOCKS:

            def spoil(lock: Path, says: dict[str, Any] | None = says) -> None:
                lock.write_text("" if says is None else _said(**says))

            name = f"{what}, lock says {says}{', and is held' * is_held}"
            yield attack(name, words, spoil, is_held, holds or anew)
        over = [*words, "--take_over", "true"]
        yield attack(f"{what}, taken over", over, lambda lock: lock.write_text(_said()), False, anew)
        for name, spoil in _spoilt().items():
            yield attack(f"{what}, lock is {name}", words, spoil, False, anew)
    yield from _compared(sound)


def _compared(sound: Sound) -> Iterator[Attack]:
    """A second comparison in the folder of one that is at work."""
    from seqlab.comparison.workers import LOCK as OF_COMPARISON

    folder = sound.here / "compared"
    small = [word for word in fit_of("language")[1:] if word not in ("--model", "gru", "--bar", "none")]
    words = ["compare", *small, "--model", "gru", "--seeds", "1", "--bar", "none", "--output", str(folder)]

    lock = folder / OF_COMPARISON

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    yield Attack("a second comparison", words, prepare, lambda: _hold(lock), refused=True)
    places = {
        name: spoil for name, spoil in _spoilt().items() if name in ("bytes", "a folder", "a pipe", "a link to outside")
    }
    for name, spoil in places.items():
        yield Attack(f"a comparison, lock is {name}", words, lambda spoil=spoil: (prepare(), spoil(lock)))


def _hold(lock: Path) -> None:
    """Holds a lock, as another process would: for as long as this one lives."""
    fcntl.flock(os.open(lock, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)


def _lost(folder: Path, refused: bool) -> str:
    """What is no longer there of the run."""
    try:
        step = read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"]
    except UserError as error:
        return str(error)
    return f"the checkpoint of step 12 is one of step {step}" if refused and step != 12 else ""
