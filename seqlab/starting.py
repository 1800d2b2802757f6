"""The seconds in which a verb imports what it needs: Ctrl-C ends them, and nothing is collected as garbage."""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def stop_at_once(*_: object) -> None:
    """Ends the process with one sentence and code 130.

    A KeyboardInterrupt would end an import in a traceback, or be taken for a failed import.
    """
    with suppress(OSError):
        os.write(2, b"\nseqlab: stopped\n")
    os._exit(130)


@contextmanager
def no_garbage() -> Iterator[None]:
    """Turns the garbage collector off for imports, whose objects stay; it would take a quarter of their time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def begin_imports() -> None:
    """Turns the garbage collector off, and lets ``stop_at_once`` handle SIGINT.

    SIGINT is left as it is if it is ignored or has another handler already.
    """
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop_at_once)


def end_imports() -> None:
    """Undoes ``begin_imports``; later searches for garbage leave out what was imported."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    if signal.getsignal(signal.SIGINT) is stop_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
