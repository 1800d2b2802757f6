import math
from collections.abc import Iterator

import pytest
import torch
from few_cells import few_cells

from seqlab.analysis import learning
from seqlab.analysis.learning import Learned, learn
from seqlab.data.memory_tasks import TASKS, Adding, MemoryBatch, MemoryTask
from seqlab.nn.linear_readout import LinearReadout

CPU = torch.device("cpu")


def network(cell: str, task: MemoryTask, hidden_size: int = 32) -> LinearReadout:
    torch.manual_seed(1)
    return LinearReadout(cell, task.input_size, hidden_size, task.output_size, forget_bias=1.0)


class Watched(Adding):
    """Notes which batches are asked for."""

    asked: list[int]

    def batch(self, index: int) -> MemoryBatch:
        self.asked.append(index)
        return super().batch(index)


def test_a_gru_solves_adding_and_stops() -> None:
    task = Adding(3, 32, seed=1)
    reached = learn(network("gru", task), task, 1000, 0.01, CPU)
    assert reached.success >= 0.99
    assert reached.loss < 0.001
    assert reached.steps < 1000
    assert reached.steps % 100 == 0


def test_what_is_held_out_is_never_trained_on() -> None:
    task = Watched(4, 300, seed=1)
    task.asked = []
    learn(network("rnn", task, 4), task, 3, 0.01, CPU)
    assert task.asked == [0, 1, 2, 3, 4, 5, 6]  # 1200 sequences held out, then each batch once


def test_the_last_step_is_always_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Adding(4, 500, seed=1)
    net = network("gru", task, 4)
    reached = learn(net, task, 3, 0.01, CPU)
    with torch.no_grad():
        scores = [task.score(net(batch.inputs), batch.targets) for batch in map(task.batch, range(2))]
    loss, success = (sum(float(score[part]) for score in scores) / 2 for part in range(2))
    assert reached == Learned(pytest.approx(success), pytest.approx(loss), 3)
    monkeypatch.setattr(learning, "EVALUATE_EVERY", 2)
    assert learn(network("gru", task, 4), task, 3, 0.01, CPU) == reached


def test_solved_means_twice_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    successes: Iterator[float] = iter([0.995, 0.5, 1.0, 0.99])
    monkeypatch.setattr(learning, "_evaluate", lambda *_: (next(successes), 0.1))
    monkeypatch.setattr(learning, "EVALUATE_EVERY", 3)
    task = Adding(2, 500, seed=1)
    assert learn(network("rnn", task, 2), task, 2000, 0.01, CPU).steps == 12


def test_training_that_diverged_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "EVALUATE_EVERY", 5)
    task = Adding(3, 500, seed=1)
    reached = learn(network("rnn", task, 4), task, 1000, math.inf, CPU)
    assert not math.isfinite(reached.loss)
    assert reached.steps == 5


@pytest.mark.parametrize("task", TASKS)
@few_cells
def test_every_cell_runs(cell: str, task: str) -> None:
    each = TASKS[task](3, 250, seed=1)
    net = network(cell, each, 8)
    before = [weights.clone() for weights in net.parameters()]
    reached = learn(net, each, 2, 0.01, CPU)
    assert reached.steps == 2
    assert math.isfinite(reached.loss)
    assert not any(was.equal(now) for was, now in zip(before, net.parameters(), strict=True))
