"""Cache of compiled libraries between processes; loads only libraries that this user built."""

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from seqlab.files import real_path

BUILDING = "building-"
"""Prefix of the folders in which compilation is under way."""

OTHERS = stat.S_IWGRP | stat.S_IWOTH
"""File modes that let others than the owner write."""


def stored(folder: Path, identity: str, build: Callable[[Path], Path]) -> Path:
    """A library that this user built from these sources, verified byte by byte; built if there is none.

    Its name holds a digest of its sources and one of its own bytes; if the bytes have another digest, it is built anew.
    One process at a time searches, and removes the folders of builds that died.

    Args:
        folder: Folder that only this user can write to; created if there is none.
        identity: Hexadecimal digest of the sources and of everything else that the library depends on.
        build: Compiles in an empty folder and returns the library in it.

    Raises:
        OSError: Others can write to the folder, or this user cannot.
    """
    with _alone(_private(folder)):
        for left in (*folder.glob(f"{BUILDING}*"), *folder.glob("tmp*")):
            shutil.rmtree(left, ignore_errors=True)
        for library in folder.glob(f"{identity}.*.so"):
            if _is_own(library) and library.name == _name(identity, library):
                return library
            library.unlink()
        scratch = Path(tempfile.mkdtemp(prefix=BUILDING, dir=folder))
        try:
            built = build(scratch)
            with built.open("rb") as file:
                os.fsync(file.fileno())
            built.chmod(0o600)
            return built.replace(folder / _name(identity, built))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _is_own(file: Path) -> bool:
    kept = file.lstat()
    return stat.S_ISREG(kept.st_mode) and kept.st_uid == os.geteuid() and not kept.st_mode & OTHERS


def _name(identity: str, library: Path) -> str:
    with library.open("rb") as file:
        return f"{identity}.{hashlib.file_digest(file, 'sha256').hexdigest()}.so"


def _private(folder: Path) -> Path:
    """The folder, checked that nobody else can write to it or move it.

    Raises:
        PermissionError: Somebody else can write to it or move it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    here = real_path(folder)
    if here.stat().st_uid != os.geteuid():
        raise PermissionError(f"{here} belongs to another user; nothing in it is run")
    if here.stat().st_mode & OTHERS:
        for strange in here.glob("*.so"):  # of whoever could write here
            strange.unlink()
    here.chmod(0o700)
    for above in here.parents:
        kept = above.stat()
        if kept.st_uid not in (0, os.geteuid()) or (kept.st_mode & OTHERS and not kept.st_mode & stat.S_ISVTX):
            raise PermissionError(f"others can write to {above}, and so replace {here}; nothing in it is run")
    return here


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
