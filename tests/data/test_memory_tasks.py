import math

import pytest
import torch

from seqlab.data.memory_tasks import TASKS, TOLERANCE, Adding, Copy
from seqlab.errors import UserError


@pytest.mark.parametrize("name", TASKS)
def test_a_batch_is_a_function_of_seed_and_index(name: str) -> None:
    first, again, other = TASKS[name](12, 4, seed=1), TASKS[name](12, 4, seed=1), TASKS[name](12, 4, seed=2)
    again.batch(0)
    for mine, same in zip(first.batch(3), again.batch(3), strict=True):
        assert mine.equal(same)
    assert not first.batch(3).inputs.equal(first.batch(4).inputs)
    assert not first.batch(3).inputs.equal(other.batch(3).inputs)


@pytest.mark.parametrize("length", [2, 5, 10])
def test_adding_marks_one_step_of_each_half(length: int) -> None:
    inputs, targets = Adding(length, 500, seed=1).batch(0)
    assert inputs.shape == (500, length, 2)
    assert (inputs.dtype, targets.dtype) == (torch.float32, torch.float32)
    values, marks = inputs.unbind(-1)
    half = length // 2
    assert set(marks.flatten().tolist()) <= {0.0, 1.0}
    assert marks[:, :half].sum(1).tolist() == marks[:, half:].sum(1).tolist() == [1.0] * 500
    assert (marks.sum(0) > 0).all(), "any step of a half may be the one"
    for row in range(500):
        one, two = values[row, marks[row] == 1].tolist()
        assert targets[row].item() == pytest.approx(one + two)
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() <= 1


def test_the_adding_score_by_hand() -> None:
    outputs = torch.tensor([[[9.0], [1.03]], [[9.0], [0.5]]])  # what is answered before the end does not count
    loss, success = Adding.score(outputs, torch.tensor([1.0, 1.0]))
    assert loss.item() == pytest.approx((0.03**2 + 0.5**2) / 2)
    assert success.item() == 0.5


def test_chance_of_adding_is_what_always_answering_one_gets() -> None:
    targets = Adding(10, 200_000, seed=1).batch(0).targets
    loss, success = Adding.score(torch.ones(200_000, 1, 1), targets)
    assert Adding.chance() == pytest.approx(0.0784)
    assert (TOLERANCE, Adding.chance_loss(10)) == (0.04, 1 / 6)
    assert success.item() == pytest.approx(Adding.chance(), abs=0.003)
    assert loss.item() == pytest.approx(Adding.chance_loss(10), abs=0.002)


def test_the_layout_of_copy_by_hand() -> None:
    inputs, targets = Copy(3, 2, seed=1).batch(0)
    assert (inputs.dtype, targets.dtype) == (torch.int64, torch.int64)
    for row, target in zip(inputs.tolist(), targets.tolist(), strict=True):
        symbols = row[:10]
        assert set(symbols) <= set(range(8))
        assert row == [*symbols, 8, 8, 9, *[8] * 10]
        assert target == [*[8] * 13, *symbols]
    shortest = Copy(1, 1, seed=1).batch(0).inputs[0].tolist()
    assert shortest[10:] == [9, *[8] * 10]


def test_the_copy_score_by_hand() -> None:
    _, targets = Copy(3, 1, seed=1).batch(0)
    outputs = torch.nn.functional.one_hot(targets, 9).float() * 50
    outputs[0, -4:] = outputs[0, -4:].roll(1, -1)
    outputs[0, :13] = 0
    loss, success = Copy.score(outputs, targets)
    assert success.item() == pytest.approx(0.6)
    assert loss.item() == pytest.approx((13 * math.log(9) + 4 * 50) / 23)


@pytest.mark.parametrize("length", [1, 30])
def test_chance_of_copy_is_what_no_memory_gets(length: int) -> None:
    _, targets = Copy(length, 5_000, seed=1).batch(0)
    blind = torch.full((*targets.shape, 9), -1e9)
    blind[:, :-10, 8] = 0  # blanks for sure, then each of the eight symbols alike
    blind[:, -10:, :8] = torch.rand(5_000, 10, 8, generator=torch.Generator().manual_seed(1)) * 1e-6
    loss, success = Copy.score(blind, targets)
    assert Copy.chance() == 1 / 8
    assert success.item() == pytest.approx(1 / 8, abs=0.005)
    assert loss.item() == pytest.approx(Copy.chance_loss(length), rel=1e-4)
    assert Copy.chance_loss(length) == pytest.approx(10 * math.log(8) / (length + 20))


@pytest.mark.parametrize(("name", "least"), [("adding", 2), ("copy", 1)])
def test_lengths_below_the_least(name: str, least: int) -> None:
    TASKS[name](least, 1, seed=1).batch(0)
    with pytest.raises(UserError, match=f"^length {least - 1} must be at least {least} in the task {name}$"):
        TASKS[name](least - 1, 1, seed=1)
