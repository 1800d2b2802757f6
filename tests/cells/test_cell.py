import math

import pytest
import torch
from torch import Tensor

from seqlab.cells import CELLS
from seqlab.cells.cell import LinearCell, finished_product, input_product, log_positive, worth_a_table

WEIGHT = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])  # of two ids, or inputs of size two


def test_a_table_is_for_fewer_columns_than_ids() -> None:
    assert worth_a_table(torch.tensor([0, 1, 1]), WEIGHT)
    assert not worth_a_table(torch.tensor([0, 1]), WEIGHT)
    assert not worth_a_table(torch.ones(3, 2), WEIGHT)


@pytest.mark.parametrize(("ids", "finished"), [([[0, 1, 1]], 2), ([[1]], 1)])
def test_columns_are_looked_up_and_finished(ids: list[list[int]], finished: int) -> None:
    rows: list[int] = []

    def doubled(product: Tensor) -> Tensor:
        rows.append(product.numel() // 3)
        return 2 * product

    found = finished_product(torch.tensor(ids), WEIGHT, doubled)
    assert found.tolist() == [[[[2, 6, 10], [4, 8, 12]][token] for token in row] for row in ids]
    assert rows == [finished]


def test_a_product_of_vectors_and_of_ids() -> None:
    bias = torch.tensor([10.0, 20.0, 30.0])
    assert input_product(torch.tensor([1.0, -1.0]), WEIGHT, bias).tolist() == [9, 19, 29]
    assert input_product(torch.tensor([0]), WEIGHT, bias).tolist() == [[11, 23, 35]]


@pytest.mark.parametrize(
    ("y", "g"), [(0.0, 0.5), (2.0, 2.5), (-1e-9, 0.5), (-1.0, 1 / (1 + math.e)), (-30.0, math.exp(-30))]
)
def test_a_positive_function_in_log_space(y: float, g: float) -> None:
    assert float(log_positive(torch.tensor(y, dtype=torch.float64)).exp()) == pytest.approx(g, rel=1e-6)


def test_a_linear_cell_keeps_a_share_and_adds() -> None:
    class Linear(LinearCell):
        gates = ("a", "b")

        def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
            a, b = projected.chunk(2, -1)
            return a, b

        def log_coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
            raise NotImplementedError

    (state,) = Linear().step(torch.tensor([[0.5, 0.25, 1.0, 2.0]]), (torch.tensor([[4.0, 8.0]]),), {})
    assert state.tolist() == [[3, 4]]
    assert Linear().shapes(3, 2) == {"weight_ih": (4, 3), "bias_ih": (4,)}


@pytest.mark.parametrize("name", [name for name, cell in CELLS.items() if isinstance(cell, LinearCell)])
def test_logarithms_of_coefficients_are_theirs(name: str) -> None:
    cell = CELLS[name]
    assert isinstance(cell, LinearCell)
    projected = 4 * torch.randn(50, 2 * len(cell.gates), generator=torch.Generator().manual_seed(1)).double()
    a, b = cell.coefficients(projected)
    assert bool(((a > 0) & (a < 1) & (b > 0)).all())
    torch.testing.assert_close(cell.log_coefficients(projected), (a.log(), b.log()), rtol=0, atol=1e-9)


def test_weights_are_laid_out_as_torch_lays_them_out() -> None:
    assert CELLS["gru"].shapes(2, 3) == {
        name: tuple(weight.shape)
        for name, weight in zip(
            ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), torch.nn.GRUCell(2, 3).parameters(), strict=True
        )
    }
