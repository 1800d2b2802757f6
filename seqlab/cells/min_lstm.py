"""The minimal LSTM, linear in its state."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import LinearCell, log_positive


class MinLSTM(LinearCell):
    """Feng et al. (2024), Were RNNs All We Needed?, arXiv 2410.01201, section 3.2 and appendix B.2.2.

    f = sigmoid(W_if x + b_if)
    i = sigmoid(W_ii x + b_ii)
    n = g(W_in x + b_in)            g(y) = y + 1/2 where y >= 0, else sigmoid(y)
    h' = f / (f + i) * h + i / (f + i) * n
    """

    gates: ClassVar[tuple[str, ...]] = ("f", "i", "n")
    sigmoids: ClassVar[tuple[str, ...]] = ("f", "i")
    forget_gate: ClassVar[str | None] = "f"

    @staticmethod
    def _odds(projected: Tensor) -> tuple[Tensor, Tensor]:
        """log(f / i), whose sigmoid is f / (f + i), and the candidate's argument."""
        f, i, n = projected.chunk(3, -1)
        return F.logsigmoid(f) - F.logsigmoid(i), n

    def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        odds, n = self._odds(projected)
        return torch.sigmoid(odds), torch.sigmoid(-odds) * log_positive(n).exp()

    def log_coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        odds, n = self._odds(projected)
        return F.logsigmoid(odds), F.logsigmoid(-odds) + log_positive(n)
