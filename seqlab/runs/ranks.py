"""The processes of one run: data shared between them, and the end of all when the first process ends."""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch.distributed as dist

STARTER = "SEQLAB_STARTER"
"""Environment variable with the id of the parent process."""

RUN = "SEQLAB_RUN"
"""Environment variable with the name of the run."""

LOOK_EVERY = 1.0
"""Seconds between two checks that the parent process lives."""


def shared_run() -> str | None:
    """Name of the run for which another process started this one, if any."""
    return os.environ.get(RUN) if int(os.environ.get("LOCAL_RANK", "0")) > 0 else None


@contextmanager
def one_fate(run: str) -> Iterator[None]:
    """Ends this process when the parent process of the same run has ended for any reason.

    Lightning only handles the opposite case; without this, a process would wait half an hour for a missing first one.
    """
    starter, over = os.environ.get(STARTER), threading.Event()
    if starter is not None and shared_run() is not None:
        threading.Thread(target=_watch, args=(int(starter), over), daemon=True).start()
    told = {STARTER: str(os.getpid()), RUN: run}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        over.set()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _watch(starter: int, over: threading.Event) -> None:
    while os.getppid() == starter:
        if over.wait(LOOK_EVERY):
            return
    print("seqlab: the first process of this run is gone; this one stops too", file=sys.stderr, flush=True)
    os._exit(1)


def of_all_processes(own: Any) -> list[Any]:
    """The values of all processes, in the order of their ranks; all processes must call this together."""
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    brought: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(brought, own)
    return brought


def rank_and_world() -> tuple[int, int]:
    """The rank of this process and the number of processes."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def own_sums(brought: Sequence[Sequence[float]]) -> list[float]:
    """This process's share of saved sums; if the number of processes has changed, the first process takes all."""
    rank, world = rank_and_world()
    if len(brought) == world:
        return [*brought[rank]]
    return [0 if rank else sum(column) for column in zip(*brought, strict=True)]
