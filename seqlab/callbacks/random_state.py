"""The states of a run's random generators, in its checkpoints."""

import random
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from seqlab.errors import UserError, reason_of
from seqlab.runs.ranks import of_all_processes, rank_and_world

WORDS = 624
"""Numbers in the state of NumPy's Mersenne twister, which does not check its position."""


def _checked(kept: dict[str, Any]) -> dict[str, Any]:
    """States, checked by loading them into other generators."""
    random.Random().setstate(kept["python"])
    kind, keys, position, *rest = kept["numpy"]
    if kind != "MT19937" or not 0 <= position <= WORDS or len(rest) != 2 or keys.shape != (WORDS,):
        raise ValueError("NumPy's is of another kind")
    np.random.RandomState().set_state((kind, keys.numpy().astype(np.uint32), position, *rest))
    torch.Generator().set_state(kept["torch"].cpu())
    return kept


class RandomState(pl.Callback):
    """Saves the random states of Python, NumPy and torch, so that a resumed run draws the same dropout masks.

    Every process has its own states. They are restored just before the first resumed batch, after all random draws of
    the setup.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"ranks": of_all_processes(self._own())}

    def _own(self) -> dict[str, Any]:
        kind, keys, *rest = np.random.get_state(legacy=True)
        return {
            "python": random.getstate(),
            "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        states, (rank, _) = state_dict["ranks"], rank_and_world()
        try:
            self._kept = _checked(states[rank if rank < len(states) else 0])
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RuntimeError, AttributeError) as error:
            raise UserError(
                f"the states of the random generators in the checkpoint are none ({reason_of(error)}); use another one"
            ) from None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._kept is None:
            return
        kept, self._kept = self._kept, None
        random.setstate(kept["python"])
        kind, keys, *rest = kept["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
        torch.set_rng_state(kept["torch"].cpu())
        if torch.cuda.is_available() and len(kept["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([state.cpu() for state in kept["cuda"]])
