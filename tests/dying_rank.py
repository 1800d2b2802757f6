"""Trains as ``python -m seqlab.fit`` does, and one of its processes ends before its time.

    python tests/dying_rank.py killed|raising|alone RANK [OPTION OF FIT ...]

``killed`` and ``raising`` in the middle of a step, ``alone`` before it has met the others.
"""

import os
import signal
import sys
from typing import Any, NoReturn

import torch.distributed as dist

from seqlab.fit import main
from seqlab.models.language import LanguageModel

STEP = 12


def die(*_: Any, **__: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process outlived SIGKILL")


def end(how: str) -> None:
    """Makes this process end."""
    if how == "alone":
        dist.init_process_group = die  # type: ignore[assignment]
        return
    whole = LanguageModel.training_step

    def cut_short(self: LanguageModel, batch: Any, batch_idx: int) -> Any:
        if self.global_step == STEP:
            if how == "killed":
                die()
            raise RuntimeError("a broken worker")
        return whole(self, batch, batch_idx)

    LanguageModel.training_step = cut_short  # type: ignore[method-assign]


if __name__ == "__main__":
    if os.environ.get("LOCAL_RANK", "0") == sys.argv[2]:
        end(sys.argv[1])
    sys.exit(main(sys.argv[3:]))
