import math

import pytest
import torch
from torch import Tensor

from seqlab.metrics import TokenLoss, bits, perplexity


def some(tokens: int) -> Tensor:
    """Nats of each of some tokens."""
    return 3 * torch.rand(tokens, generator=torch.Generator().manual_seed(0))


def test_bits() -> None:
    assert bits(math.log(2)) == 1.0
    assert bits(3 * math.log(2)) == pytest.approx(3.0, rel=1e-15)


def test_mean_over_uneven_batches_weighs_tokens() -> None:
    nats, total = some(13), TokenLoss()
    parts = nats.split(5)
    for part in parts:
        total.update(part.sum(), len(part))
    assert float(total.compute()) == pytest.approx(float(nats.mean()), rel=1e-6)
    assert float(total.compute().exp()) == pytest.approx(math.exp(float(nats.mean())), rel=1e-6)
    means = [float(part.mean()) for part in parts]
    assert abs(sum(means) / 3 - float(total.compute())) > 1e-3  # what a mean of means would say


def test_batches_of_nothing_but_padding_weigh_nothing() -> None:
    total = TokenLoss()
    total.update(some(8).sum(), 8)
    before = float(total.compute())
    total.update(torch.tensor(0.0), torch.tensor(0))
    assert float(total.compute()) == before
    assert int(total.tokens) == 8


def test_sums_are_float64_and_whole_numbers() -> None:
    total = TokenLoss()
    total.update(torch.tensor(2.0**24), 2**24)
    for _ in range(3):
        total.update(torch.tensor(1.0), 1)
    assert (float(total.nats), int(total.tokens)) == (2**24 + 3, 2**24 + 3)  # in float32 each 1 would be lost
    assert (total.nats.dtype, total.tokens.dtype) == (torch.float64, torch.int64)


def test_sums_stay_float64_in_a_module_of_another_precision() -> None:
    module = torch.nn.Module()
    module.total = TokenLoss()
    module.half()
    module.total.update(torch.tensor(1.0), 1)
    assert module.total.nats.dtype == torch.float64


def test_reset_forgets() -> None:
    total = TokenLoss()
    total.update(torch.tensor(5.0), 2)
    assert float(total.compute()) == 2.5
    total.reset()
    total.update(torch.tensor(3.0), 1)
    assert float(total.compute()) == 3.0


def test_keeps_no_graph() -> None:
    total = TokenLoss()
    total.update(torch.tensor(5.0, requires_grad=True) * 2, 2)
    assert not total.nats.requires_grad


@pytest.mark.parametrize(("nats", "expected"), [(0.0, 1.0), (1.0, math.e), (709.0, math.exp(709)), (800.0, math.inf)])
def test_perplexity(nats: float, expected: float) -> None:
    assert perplexity(nats) == expected


def test_perplexity_of_what_has_no_chance() -> None:
    assert perplexity(math.inf) == math.inf
    assert math.isnan(perplexity(math.nan))
