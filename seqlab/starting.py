"""Ctrl-C in the seconds in which a verb imports what it needs."""

import os
import signal
from contextlib import suppress


def stop_at_once(*_: object) -> None:
    """Ends the process with one sentence and code 130.

    A KeyboardInterrupt would end an import in a traceback, or be taken for a failed import.
    """
    with suppress(OSError):
        os.write(2, b"\nseqlab: stopped\n")
    os._exit(130)


def stop_while_importing() -> None:
    """Lets ``stop_at_once`` handle SIGINT, unless SIGINT is ignored or has another handler already."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop_at_once)


def stop_as_usual() -> None:
    """Lets SIGINT raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is stop_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
