import pytest
import torch

from seqlab.recurrence.dropout import Dropout, mask


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_a_mask_drops_its_share_and_keeps_the_mean(share: float) -> None:
    torch.manual_seed(0)
    drawn = mask((300, 401), share, torch.empty(0))
    values = drawn.unique()
    torch.testing.assert_close(values, torch.tensor([0.0, 1 / (1 - share)]), rtol=1e-4, atol=0)
    assert float((drawn == 0).float().mean()) == pytest.approx(share, abs=0.01)


def test_units_are_dropped_independently() -> None:
    torch.manual_seed(0)
    kept = (mask((200, 1000), 0.5, torch.empty(0)) > 0).double()
    for distance in range(1, 9):  # four units share a word
        both = (kept[:, distance:] * kept[:, :-distance]).mean()
        assert float(both) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("units", [1, 2, 3, 5])
def test_any_number_of_units(units: int) -> None:
    assert mask((units,), 0.5, torch.empty(0, dtype=torch.float64)).shape == (units,)
    assert mask((units,), 0.5, torch.empty(0, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_the_generator_decides() -> None:
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(mask((50,), 0.5, torch.empty(0)))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_gradient_goes_where_the_values_went() -> None:
    values = torch.ones(40, 50, requires_grad=True)
    outputs = Dropout(0.3)(values)
    outputs.sum().backward()
    assert torch.equal(values.grad, outputs.detach())
