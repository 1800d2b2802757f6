"""A lock in the folder of a run, held by the training process."""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seqlab.errors import UserError, reason_of

LOCK = ".training.lock"
"""Lock file with the training process and the time of its last sign of life."""

BEAT = 20.0
"""Seconds between two signs of life."""

STALE = 300.0
"""Seconds without a sign of life after which the lock of another machine expires."""


@contextmanager
def sole_writer(folder: Path, take_over: bool = False) -> Iterator[None]:
    """Locks the folder of a run against other training processes, and creates it if needed.

    Args:
        folder: Folder of the run.
        take_over: Whether to continue although another process, perhaps on another machine, holds the lock.

    Raises:
        UserError: Another process trains there, or the folder cannot be written.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except OSError as error:
        raise UserError(f"nothing can be kept in {folder}: {reason_of(error)}; name another folder") from None
    over = threading.Event()
    try:
        _take(descriptor, folder, take_over)
        _beat(descriptor)
        threading.Thread(target=_keep_alive, args=(descriptor, over), daemon=True).start()
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()
    finally:
        over.set()
        os.close(descriptor)


def check_untrained(folder: Path) -> None:
    """Checks that no process trains in the folder of a run.

    Raises:
        UserError: Another process trains there.
    """
    with suppress(OSError):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            _take(descriptor, folder, False)
        finally:
            os.close(descriptor)


def _take(descriptor: int, folder: Path, take_over: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = True
    except OSError:
        held = False
    host, process, seen = _holder(descriptor)
    elsewhere = host not in ("", socket.gethostname()) and time.time() - seen < STALE
    in_place = held and os.path.samestat(os.fstat(descriptor), (folder / LOCK).stat())  # not removed in the meantime
    if (in_place and not elsewhere) or take_over:
        return
    who = f"process {process} on {host}" if host else "another process"
    raise UserError(
        f"{who} trains the run {folder.name} now, last seen {max(0.0, time.time() - seen):.0f} s ago; wait for it, "
        "give another --run, or --take_over if it is gone"
    )


def _holder(descriptor: int) -> tuple[str, int, float]:
    try:
        said = json.loads(os.pread(descriptor, 1000, 0))
        return str(said["host"]), int(said["process"]), float(said["seen"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, OSError):
        return "", 0, 0.0


def _beat(descriptor: int) -> None:
    content = json.dumps({"host": socket.gethostname(), "process": os.getpid(), "seen": time.time()}).encode()
    with suppress(OSError):  # on a full disk the lock itself still holds
        os.pwrite(descriptor, content.ljust(200), 0)


def _keep_alive(descriptor: int, over: threading.Event) -> None:
    while not over.wait(BEAT):
        _beat(descriptor)
