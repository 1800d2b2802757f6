"""The seconds in which a verb imports what it needs: Ctrl-C ends them, and the garbage collector leaves it alone."""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

USUAL = gc.get_threshold()
IMPORTING = (*USUAL[:2], 1_000_000)
"""Thresholds of the garbage collector for imports: it looks through new objects, and never through all.

Nearly all that is imported stays, and looking through all of it again and again takes a quarter of the imports' time.
"""


def stop_at_once(*_: object) -> None:
    """Ends the process with one sentence and code 130.

    A KeyboardInterrupt would end an import in a traceback, or be taken for a failed import.
    """
    with suppress(OSError):
        os.write(2, b"\nseqlab: stopped\n")
    os._exit(130)


@contextmanager
def fast_imports() -> Iterator[None]:
    """Imports under the thresholds ``IMPORTING``."""
    before = gc.get_threshold()
    gc.set_threshold(*IMPORTING)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def begin_imports() -> None:
    """Sets the thresholds ``IMPORTING``, and lets ``stop_at_once`` handle SIGINT.

    SIGINT is left as it is if it is ignored or has another handler already.
    """
    gc.set_threshold(*IMPORTING)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop_at_once)


def end_imports() -> None:
    """Undoes ``begin_imports``; from now on the garbage collector leaves out what was imported."""
    if gc.get_threshold() == IMPORTING:
        gc.freeze()
        gc.set_threshold(*USUAL)
    if signal.getsignal(signal.SIGINT) is stop_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
