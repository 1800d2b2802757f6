import math

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import LRScheduler

from seqlab.errors import UserError
from seqlab.models.schedules import DivideAfterLR, NoamLR, WarmupCosineLR


def optimizer(*rates: float) -> SGD:
    return SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def rates_of(schedule: LRScheduler, steps: int) -> list[list[float]]:
    """The rates in force at each step, of each group of parameters."""
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in schedule.optimizer.param_groups])
        schedule.optimizer.step()
        schedule.step()
    return rates


def test_literal_rates() -> None:
    schedule = WarmupCosineLR(optimizer(2.0), total_steps=6, warmup_steps=2, final_factor=0.1)
    expected = [1.0, 2.0, 2.0, 1.736396103, 1.1, 0.463603897, 0.2, 0.2]
    assert [rate for (rate,) in rates_of(schedule, 8)] == pytest.approx(expected, abs=1e-9)


def test_without_warm_up_half_a_cosine() -> None:
    schedule = WarmupCosineLR(optimizer(1.0), total_steps=4)
    expected = [(1 + math.cos(math.pi * step / 4)) / 2 for step in range(5)]
    assert [rate for (rate,) in rates_of(schedule, 5)] == pytest.approx(expected, abs=1e-12)


def test_every_group_has_its_own_rate() -> None:
    schedule = WarmupCosineLR(optimizer(1.0, 4.0), total_steps=4, warmup_steps=2)
    assert rates_of(schedule, 2) == [[0.5, 2.0], [1.0, 4.0]]


def test_resumes() -> None:
    straight = rates_of(WarmupCosineLR(optimizer(1.0), 10, 3, 0.2), 10)
    first = WarmupCosineLR(optimizer(1.0), 10, 3, 0.2)
    rates_of(first, 4)
    again = WarmupCosineLR(optimizer(1.0), 10, 3, 0.2)
    again.load_state_dict(first.state_dict())
    again.optimizer.load_state_dict(first.optimizer.state_dict())
    assert rates_of(again, 6) == straight[4:]


@pytest.mark.parametrize(("total", "warmup"), [(5, 5), (5, 6), (5, -1), (0, 0), (None, 2)])
def test_the_warm_up_must_be_shorter_than_the_whole(total: int | None, warmup: int) -> None:
    words = rf"^warmup_steps {warmup} must be at least 0 and below total_steps {total}$"
    with pytest.raises(UserError, match=words):
        WarmupCosineLR(optimizer(1.0), total, warmup)


def test_the_rate_is_divided_after_some_epochs() -> None:
    rates = [rate for (rate,) in rates_of(DivideAfterLR(optimizer(1.0), after_epochs=3, by=2.0), 6)]
    assert rates == [1, 1, 1, 0.5, 0.25, 0.125]
    with pytest.raises(UserError, match=r"^after_epochs -1 must be at least 0 and by 2.0 above 0$"):
        DivideAfterLR(optimizer(1.0), after_epochs=-1)


def test_a_share_of_the_steps_warms_up_where_no_number_is_given() -> None:
    by_share = WarmupCosineLR(optimizer(2.0), total_steps=20, warmup_fraction=0.2)
    by_number = WarmupCosineLR(optimizer(2.0), total_steps=20, warmup_steps=4)
    assert rates_of(by_share, 20) == rates_of(by_number, 20)
    assert WarmupCosineLR(optimizer(2.0), total_steps=20, warmup_steps=3, warmup_fraction=0.2).warmup_steps == 3
    with pytest.raises(UserError, match="warmup_fraction 1.0 must be at least 0 and below 1"):
        WarmupCosineLR(optimizer(1.0), total_steps=20, warmup_fraction=1.0)


def test_rates_of_the_paper_on_attention() -> None:
    size, warmup = 512, 4
    schedule = NoamLR(optimizer(1 / math.sqrt(size * warmup)), warmup_steps=warmup)
    expected = [size**-0.5 * min(step**-0.5, step * warmup**-1.5) for step in range(1, 11)]
    assert [rate for (rate,) in rates_of(schedule, 10)] == pytest.approx(expected, rel=1e-12)
    with pytest.raises(UserError, match="warmup_steps 0 must be a whole number of at least 1"):
        NoamLR(optimizer(1.0), warmup_steps=0)
