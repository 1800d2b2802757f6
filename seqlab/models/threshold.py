"""The best decision threshold for the probability of a label."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class BestThreshold(Metric):
    """The threshold with the highest F1, over all texts, classes and processes; 0.5 without data.

    The threshold lies half way between the lowest predicted probability and the highest one below it.
    """

    full_state_update = False
    probabilities: list[Tensor]
    wanted: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("probabilities", [], dist_reduce_fx="cat")
        self.add_state("wanted", [], dist_reduce_fx="cat")

    def update(self, probabilities: Tensor, wanted: Tensor) -> None:
        """Counts probabilities and whether their label is right, both of the same shape."""
        self.probabilities.append(probabilities.detach().flatten())
        self.wanted.append((wanted == 1).flatten())

    def compute(self) -> Tensor:
        if not len(self.probabilities):
            return torch.tensor(0.5)
        probabilities, order = dim_zero_cat(self.probabilities).sort(descending=True)
        right = dim_zero_cat(self.wanted)[order].double().cumsum(0)
        said = torch.arange(1, len(order) + 1, device=right.device)
        f1 = 2 * right / (said + right[-1])
        after = torch.cat([probabilities[1:], probabilities.new_zeros(1)])
        ends = probabilities != after  # equal probabilities are predicted together or not at all
        best = int(torch.where(ends, f1, -1).argmax())
        return (probabilities[best] + after[best]) / 2
