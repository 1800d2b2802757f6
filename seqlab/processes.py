"""The processes of one run: none of them outlives the one that started it."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STARTER = "SEQLAB_STARTER"
"""Environment variable that tells a started process the id of the one that started it."""

LOOK_EVERY = 1.0
"""Seconds between two looks whether that one still lives."""


@contextmanager
def one_fate() -> Iterator[None]:
    """Ends this process where another one started it for the same run and is gone, however that one ended.

    Lightning sees to the opposite case alone; and a process waits half an hour for a first one that it never met.
    """
    starter, over = os.environ.get(STARTER), threading.Event()
    if starter is not None and int(os.environ.get("LOCAL_RANK", "0")) > 0:
        threading.Thread(target=_watch, args=(int(starter), over), daemon=True).start()
    os.environ[STARTER] = str(os.getpid())
    try:
        yield
    finally:
        over.set()
        os.environ.pop(STARTER)
        if starter is not None:
            os.environ[STARTER] = starter


def _watch(starter: int, over: threading.Event) -> None:
    while os.getppid() == starter:
        if over.wait(LOOK_EVERY):
            return
    print("seqlab: the first process of this run is gone; this one stops too", file=sys.stderr, flush=True)
    os._exit(1)
