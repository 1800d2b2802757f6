"""A stack of recurrent layers over time, state in and state out."""

from torch import Tensor, nn

from seqlab.errors import UserError, nearest

State = tuple[Tensor, ...]

LAYERS: dict[str, type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """``num_layers`` recurrent layers, dropout between them, run over all time steps.

    Args:
        cell: ``rnn`` (tanh), ``gru`` or ``lstm``.
        input_size: Size of a step's input.
        hidden_size: Size of a step's output and of the state.
        num_layers: Layers, each fed by the outputs of the one before.
        dropout: Share of the outputs zeroed between layers while training.
        bidirectional: Whether a second stack reads the sequence backwards; outputs are then ``2 * hidden_size`` wide.

    Raises:
        UserError: The cell is unknown.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        if cell not in LAYERS:
            raise UserError(f"unknown cell '{cell}': {nearest(cell, LAYERS)}")
        self.layers = LAYERS[cell](
            input_size,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
        )

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Runs over time.

        Args:
            inputs: ``(batch, time, input_size)``.
            state: Tuple of ``(layers * directions, batch, hidden_size)``: ``(h,)``, or ``(h, c)`` of an lstm; zeros
                if not given.

        Returns:
            Outputs ``(batch, time, hidden_size * directions)`` and the state after the last step.
        """
        if isinstance(self.layers, nn.LSTM):
            pair = None if state is None else (state[0].to(inputs.dtype), state[1].to(inputs.dtype))
            outputs, last = self.layers(inputs, pair)
            return outputs, last
        outputs, hidden = self.layers(inputs, None if state is None else state[0].to(inputs.dtype))
        return outputs, (hidden,)
