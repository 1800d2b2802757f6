"""Recurrent cells. ``CELLS`` names every cell; a variant of a cell has its own row."""

from seqlab.cells.cell import Cell
from seqlab.cells.gru import GRU
from seqlab.cells.gru_layer_norm import LayerNormGRU
from seqlab.cells.lstm import LSTM
from seqlab.cells.lstm_coupled import CoupledLSTM
from seqlab.cells.lstm_layer_norm import LayerNormLSTM
from seqlab.cells.lstm_no_output_gate import NoOutputGateLSTM
from seqlab.cells.lstm_peephole import PeepholeLSTM
from seqlab.cells.mgu import MGU
from seqlab.cells.min_gru import MinGRU
from seqlab.cells.min_lstm import MinLSTM
from seqlab.cells.rnn import RNN
from seqlab.errors import UserError, nearest

CELLS: dict[str, Cell] = {
    "rnn": RNN(),
    "rnn_relu": RNN("relu"),
    "gru": GRU(),
    "gru_before": GRU(reset_after=False),
    "lstm": LSTM(),
    "lstm_peephole": PeepholeLSTM(),
    "lstm_coupled": CoupledLSTM(),
    "lstm_no_output_gate": NoOutputGateLSTM(),
    "lstm_layer_norm": LayerNormLSTM(),
    "gru_layer_norm": LayerNormGRU(),
    "mgu": MGU(),
    "min_gru": MinGRU(),
    "min_lstm": MinLSTM(),
}


def cell_named(name: str) -> Cell:
    """A cell by its name; cells have no state, so that all networks share the cell of a row.

    Raises:
        UserError: The name is unknown.
    """
    if name not in CELLS:
        raise UserError(f"unknown cell '{name}': {nearest(name, CELLS)}")
    return CELLS[name]
