import pytest
import torch

from seqlab.cells import CELLS
from seqlab.cells.cell import ScannedCell
from seqlab.cells.tape import Blocks, Gradient, Product, Tape, sigmoid_backward, tanh_backward

GRU = CELLS["gru"]
assert isinstance(GRU, ScannedCell)


def test_derivatives_from_outputs() -> None:
    gradient, output, out = torch.tensor([2.0]), torch.tensor([0.25]), torch.empty(1)
    assert sigmoid_backward(gradient, output).item() == 2 * 0.25 * 0.75
    assert tanh_backward(gradient, output).item() == 2 * (1 - 0.25**2)
    assert sigmoid_backward(gradient, output, out) is out
    assert out.item() == 2 * 0.25 * 0.75
    tanh_backward(gradient, output, out)
    assert out.item() == 2 * (1 - 0.25**2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_in_place(dtype: torch.dtype) -> None:
    """Of small whole numbers, which either precision holds."""
    product = Product(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=dtype))
    operand, gradient = torch.tensor([[1.0, -1.0]]), torch.tensor([[1.0, 0.0, 2.0]])
    out, back = torch.ones(1, 3), torch.ones(1, 2)
    product.add(operand, out)
    assert out.tolist() == [[0, 0, 0]]
    product.set(operand, out)
    assert out.tolist() == [[-1, -1, -1]]
    product.add_back(gradient, back)
    assert back.tolist() == [[12, 15]]
    product.set_back(gradient, back)
    assert back.tolist() == [[11, 14]]
    product.set_back(gradient, back, torch.tensor([[0.5, -0.5]]))
    assert back.tolist() == [[11.5, 13.5]]


def test_blocks_lie_side_by_side() -> None:
    blocks = Blocks(("a", "b", "c"), torch.arange(12.0).view(2, 1, 6))  # (time, batch, three blocks of two)
    assert blocks["b"].tolist() == [[[2, 3]], [[8, 9]]]
    assert blocks.span("b", "c")[0].tolist() == [[2, 3, 4, 5]]
    assert [step.tolist() for step in blocks.steps("a")] == [[[0, 1]], [[6, 7]]]
    assert blocks.stacks("a", "b")[1].tolist() == [[[6, 7], [8, 9]]]
    blocks["c"].zero_()
    assert blocks.buffer[0].tolist() == [[0, 1, 2, 3, 0, 0]]


def tape() -> Tape:
    """Of two steps of one unit, whose three gates r, z, n have the recurrent weights 1, 2, 3 and biases 4, 5, 6."""
    weights = {"weight_hh": torch.tensor([[1.0], [2.0], [3.0]]), "bias_hh": torch.tensor([4.0, 5.0, 6.0])}
    return Tape(GRU, torch.arange(6.0).view(2, 1, 3), (torch.full((1, 1), 9.0),), weights)


def test_the_product_of_a_gate_may_lie_in_a_block_of_its_own() -> None:
    """The candidate's is reset after it was taken, so its block comes before all gates."""
    made = tape()
    assert (made.time, made.size) == (2, 1)
    assert made.blocks.names == ("h_n", "r", "z", "n")
    assert made.weight.tolist() == [[3], [1], [2]]
    assert made.product("r", "z").weight.tolist() == [[1], [2]]
    assert made.product_of("n") == "h_n"
    assert made.rows("z") == slice(1, 2)
    assert made.states[0][0].item() == 9


def test_steps_find_their_inputs_and_that_products_bias() -> None:
    made = tape()
    made.fill()
    assert made.blocks.buffer.squeeze(1).tolist() == [[6, 0, 1, 2], [6, 3, 4, 5]]
    made.release_blocks()
    assert made.blocks.names == ("h_n", "r", "z", "n")
    assert made.blocks.buffer.numel() == 0


def test_gradients_of_weights_are_taken_over_all_steps_at_once() -> None:
    made = tape()
    gradient = Gradient(made, (torch.tensor([[[1.0]], [[7.0]]]),))
    gradient.begin()
    assert gradient.states[0].item() == 7
    assert gradient.keep(1, torch.tensor([[0.5]])).item() == 7 * 0.5 + 1  # what reached the first step from outside
    gradient.blocks.buffer.copy_(torch.arange(8.0).view(2, 1, 4))
    gradient.recurrent("r", "z", torch.tensor([[[1.0]], [[10.0]]]))
    gradient.recurrent("n", "n", torch.tensor([[[1.0]], [[10.0]]]))
    projected, weights = gradient.finish(torch.float32)
    assert projected.squeeze(1).tolist() == [[1, 2, 3], [5, 6, 7]]
    assert weights["weight_hh"].tolist() == [[1 + 50], [2 + 60], [0 + 40]]
    assert weights["bias_hh"].tolist() == [0, 0, 4]
