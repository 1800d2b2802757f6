"""What every process of a run keeps for itself, in a checkpoint that one of them writes."""

from typing import Any

import torch.distributed as dist


def of_all_processes(own: Any) -> list[Any]:
    """What each process brought, in the order of their ranks; all of them must ask at once."""
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
