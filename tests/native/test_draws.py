from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.decoding.sampling import Sampling
from seqlab.native import draws
from seqlab.native.compiler import portable

pytestmark = pytest.mark.skipif(portable().library is None, reason=portable().reason or "there is")
ROWS, IDS = 40, 60


def logits_of(dtype: torch.dtype, spread: float = 3.0) -> tuple[Tensor, Tensor]:
    """Logits with equal values among them, and a uniform number for each row."""
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(ROWS, dtype=torch.float64, generator=generator)
    return torch.randn(ROWS, IDS, generator=generator).mul(spread).round(decimals=1).to(dtype), uniform


@pytest.mark.parametrize("dtype", draws.FUNCTIONS)
@pytest.mark.parametrize(
    "options",
    [
        *(
            {},
            {"temperature": 0},
            {"temperature": 1e-310},
            {"temperature": [0.5]},
            {"temperature": [0.3 + row / 9 for row in range(ROWS)]},
        ),
        *({"top_k": 1}, {"top_k": 5}, {"top_k": 31}, {"top_k": 999}, {"top_p": 1e-9}, {"top_p": 0.7}, {"top_p": 1.0}),
        *({"top_k": 7, "top_p": 0.5}, {"banned": (0, 3, 59)}, {"banned": range(1, IDS)}, {"banned": (2,), "top_k": 4}),
    ],
    ids=str,
)
def test_the_draws_are_those_without_compiled_code(
    options: dict[str, Any], dtype: torch.dtype, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "EACH", 1)
    sampling, (logits, uniform) = Sampling(**options), logits_of(dtype)
    wide = torch.cat([logits, torch.full_like(logits, 99.0)], 1)[:, :IDS]
    compiled = sampling.choose(wide, uniform)
    monkeypatch.setattr(draws, "able", lambda logits: False)
    assert sampling.choose(logits, uniform).equal(compiled)


def test_draws_follow_the_distribution() -> None:
    logits = torch.tensor([[0.1, 0.6, 0.3]]).log().expand(1000, 3).contiguous()
    uniform = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    found = draws.draw(logits, uniform, draws.Limits([1.0] * 1000))
    assert found is not None
    assert found.bincount().tolist() == [100, 600, 300]


@pytest.mark.parametrize("row", [[float("nan"), 0.0], [float("inf"), 0.0], [-float("inf"), -float("inf")]])
def test_a_row_without_a_distribution_has_no_draw(row: list[float]) -> None:
    logits = torch.tensor([[0.0, 1.0], row])
    assert draws.draw(logits, torch.zeros(2, dtype=torch.float64), draws.Limits([1.0, 1.0])) is None


def test_what_compiled_code_reads() -> None:
    assert draws.able(torch.ones(2, 6)[:, 1:4])
    for other in (torch.ones(6, 2).t(), torch.ones(2, 6).bfloat16(), torch.ones(2, 6, device="meta")):
        assert not draws.able(other)


def test_each_row_has_its_temperature() -> None:
    with pytest.raises(ValueError, match="^3 temperatures for 2 rows$"):
        draws.draw(torch.ones(2, 6), torch.zeros(2, dtype=torch.float64), draws.Limits([1.0] * 3))


@pytest.mark.parametrize("size", [0, 1, 2, 37])
def test_sums_below_numbers_are_counted(size: int, two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "EACH_SEARCH", 1)
    sums = torch.arange(size, dtype=torch.float64).div(2).floor()  # every sum but the last of an odd number twice
    numbers = torch.arange(-4, 80, dtype=torch.float64).div(4).view(4, 21)
    found = draws.count_below(sums, numbers)
    assert found.shape == numbers.shape
    assert found.flatten().tolist() == [sum(one <= number for one in sums) for number in numbers.flatten()]
