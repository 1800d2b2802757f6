from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from seqlab.callbacks.step_time import PHASES, StepTime, measured_peak, peak_memory
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions


class Clock:
    """A clock that stands still but when it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Spends(pl.Callback):
    """Lets each phase take so many seconds, and a validation an hour."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_batch_start(self, trainer: Any, module: pl.LightningModule, *_: Any) -> None:
        step, passes = type(module).training_step, self.clock

        def timed(*call: Any) -> Any:
            passes.now += 0.002
            return step(module, *call)

        module.training_step = timed  # type: ignore[method-assign]

    def on_after_backward(self, *_: Any) -> None:
        self.clock.now += 0.003

    def on_before_zero_grad(self, *_: Any) -> None:
        pass

    def on_before_optimizer_step(self, *_: Any) -> None:
        self.clock.now += 0.004

    def on_validation_start(self, *_: Any) -> None:
        self.clock.now += 3600


class Waits(pl.Callback):
    """Comes last in the list, and takes its time between two batches."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_batch_end(self, *_: Any) -> None:
        self.clock.now += 0.001


def test_each_phase_has_its_own_time(fit: Any, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("seqlab.callbacks.step_time.time.perf_counter", clock)
    monkeypatch.setattr("seqlab.callbacks.step_time.measured_peak", lambda *_: 1e9)
    _, model = fit(Spends(clock), StepTime(), Waits(clock), logger=memory, log_every_n_steps=5)
    logged = {step: values for step, values in memory.logged.items() if "speed/data_ms" in values}
    assert list(logged) == [5, 10, 15, 20]
    for step, values in logged.items():
        waited = 0.8 if step == 5 else 1.0 if step != 15 else 0.8  # nothing before the first batch of an epoch
        assert [values[f"speed/{phase}_ms"] for phase in PHASES] == pytest.approx([waited, 2, 3, 4])
        rate = model.flops_per_item() * 80 / 0.005
        assert values["speed/gflops"] == pytest.approx(rate / 1e9)
        assert values["speed/share_of_peak"] == pytest.approx(rate / 1e9)
        assert values["speed/memory_mb"] > 50


def test_what_a_token_costs() -> None:
    """Of 28 ids, embedding 4, gru 8 and output: 3 * 8 * (4 + 8) + 8 * 28 products going forward."""
    assert products() == 3 * 8 * (4 + 8) + 8 * 28
    assert products(embedding_size=None) == 3 * 8 * 8 + 8 * 28
    assert products(embedding_size=8, tied=True, learned_state=True) == 3 * 8 * 16 + 8 * 28
    assert products(cell="rnn", num_layers=2, connections="highway") == 8 * 12 + 8 * 16 + 8 * 8 + 8 * 28


def products(**options: Any) -> int:
    made = LanguageOptions(**{"hidden_size": 8, "embedding_size": 4, **options})
    return sum(LanguageNetwork(28, made).flops().values()) // 2


def test_peaks_are_positive() -> None:
    assert measured_peak(torch.device("cpu"), torch.float32) > 1e8
    assert 1e7 < peak_memory(torch.device("cpu")) < 1e12
