"""The minimal GRU, linear in its state."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import LinearCell, log_positive


class MinGRU(LinearCell):
    """Feng et al. (2024), Were RNNs All We Needed?, arXiv 2410.01201, section 3.1 and appendix B.2.1.

    z = sigmoid(W_iz x + b_iz)
    n = g(W_in x + b_in)            g(y) = y + 1/2 where y >= 0, else sigmoid(y)
    h' = (1 - z) * h + z * n
    """

    gates: ClassVar[tuple[str, ...]] = ("z", "n")
    sigmoids: ClassVar[tuple[str, ...]] = ("z",)

    def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        z, n = projected.chunk(2, -1)
        return torch.sigmoid(-z), torch.sigmoid(z) * log_positive(n).exp()

    def log_coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        z, n = projected.chunk(2, -1)
        return F.logsigmoid(-z), F.logsigmoid(z) + log_positive(n)
