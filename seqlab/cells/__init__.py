"""Recurrences over time. ``CELLS`` names every cell that ``--model`` takes."""

import inspect

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

CELLS: dict[str, type[Cell]] = {
    "rnn": RNN,
    "gru": GRU,
    "lstm": LSTM,
    "lstm_peephole": PeepholeLSTM,
    "lstm_coupled": CoupledLSTM,
    "lstm_no_output_gate": NoOutputGateLSTM,
    "lstm_layer_norm": LayerNormLSTM,
    "gru_layer_norm": LayerNormGRU,
    "mgu": MGU,
    "min_gru": MinGRU,
    "min_lstm": MinLSTM,
}


def make_cell(name: str, **options: object) -> Cell:
    """A cell by its name.

    Args:
        name: A name of ``CELLS``.
        options: Of the cell; those that are None are left to it.

    Raises:
        UserError: The name is unknown, or the cell has no such option.
    """
    if name not in CELLS:
        raise UserError(f"unknown cell '{name}': {nearest(name, CELLS)}")
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        if option not in inspect.signature(CELLS[name]).parameters:
            able = [other for other, kind in CELLS.items() if option in inspect.signature(kind).parameters]
            raise UserError(f"{option} {value} means nothing to {name}, only to {', '.join(able)}; leave it out")
    return CELLS[name](**given)
