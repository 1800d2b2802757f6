"""A recurrent stack with a linear layer on every output."""

from torch import Tensor, nn

from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.stack import Recurrent


class LinearReadout(nn.Module):
    """y_t = W h_t + b over the outputs h_t of recurrent layers, which start at zero.

    Args:
        cell: A name of ``CELLS``.
        input_size: Size of a step's input, or number of ids.
        hidden_size: Units in each recurrent layer.
        output_size: Size of a step's output.
        num_layers: Number of recurrent layers.
        init: A name of ``INITIALIZATIONS``.
        forget_bias: Initial bias of the forget gate, for cells that have one.

    Raises:
        UserError: A size is out of its bounds or a name is unknown.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        output_size: int,
        num_layers: int = 1,
        init: str = "orthogonal",
        forget_bias: float | None = None,
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, input_size, hidden_size, num_layers)
        self.output = nn.Linear(hidden_size, output_size)
        initialize(self, init, None if self.recurrent.cell.forget_gate is None else forget_bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, time, output_size)`` of inputs ``(batch, time, input_size)`` or ids ``(batch, time)``."""
        outputs, _ = self.recurrent(inputs)
        return self.output(outputs)
