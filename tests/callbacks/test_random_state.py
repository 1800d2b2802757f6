import random
from typing import Any, cast

import numpy as np
import pytest
import torch

from seqlab.callbacks import random_state
from seqlab.callbacks.random_state import RandomState

NOTHING = cast(Any, None)


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_every_generator_goes_on_with_the_first_batch(tmp_path: Any) -> None:
    torch.save(RandomState().state_dict(), tmp_path / "kept")
    expected = drawn()
    again = RandomState()
    again.load_state_dict(torch.load(tmp_path / "kept", weights_only=True))  # tensors and plain values alone
    assert drawn() != expected
    again.on_train_batch_start(NOTHING, NOTHING, None, 0)
    assert drawn() == expected
    again.on_train_batch_start(NOTHING, NOTHING, None, 1)
    assert drawn() != expected


@pytest.mark.parametrize(("rank", "taken"), [(0, 0), (1, 1), (2, 0)])
def test_every_process_has_its_own(rank: int, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process more than there were takes the first one's."""
    kept, expected = [], []
    for seed in (1, 2):
        torch.manual_seed(seed)
        kept += RandomState().state_dict()["ranks"]
        expected.append(float(torch.rand(())))
    monkeypatch.setattr(random_state, "rank_and_world", lambda: (rank, 3))
    again = RandomState()
    again.load_state_dict({"ranks": kept})
    again.on_train_batch_start(NOTHING, NOTHING, None, 0)
    assert float(torch.rand(())) == expected[taken]
