from typing import Any

import pytest

from seqlab.callbacks import clock
from seqlab.callbacks.clock import Clock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the wall clock says."""
    said = [100.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: said[0])
    return said


def test_it_runs_while_training_does_and_goes_on_in_a_resumed_run(now: list[float]) -> None:
    trainer: Any = None
    first = Clock()
    now[0] = 105.0
    assert first.seconds == 0
    first.on_train_start(trainer, trainer)
    now[0] = 108.0
    kept = first.state_dict()
    assert kept == {"seconds": 3.0}
    now[0] = 120.0  # lost: the process is killed
    again = Clock()
    again.load_state_dict(kept)
    again.on_train_start(trainer, trainer)
    now[0] = 121.5
    again.on_train_end(trainer, trainer)
    now[0] = 999.0
    assert again.seconds == 4.5


def test_seconds_are_logged_after_each_validation_but_the_sanity_check(now: list[float], fit: Any, memory: Any) -> None:
    fit(Clock(), logger=memory, num_sanity_val_steps=1)
    assert {step: logged["train/seconds"] for step, logged in memory.logged.items() if "train/seconds" in logged} == {
        10: 0.0,
        20: 0.0,
    }
