"""Effect of each lag of a history on a forecast."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class Lags:
    """How much forecasts change with the values that they read, in standard scores.

    Args:
        model: Name of the model.
        slopes: Mean over windows of the derivative of the first step ahead by each lag, lag 1 first ``(history,)``.
        worth: Mean absolute derivative over windows, columns and steps ahead ``(history,)``, lag 1 first.
        shown: Number of lags to list.
    """

    model: str
    slopes: NDArray[np.float64]
    worth: NDArray[np.float64]
    shown: int

    def __str__(self) -> str:
        order = np.argsort(-self.worth, kind="stable")[: self.shown]
        lines = [f"{self.model}: change of the forecast when a value of the past changes by 1"]
        lines.append(f"{'lag':>6}{'first step':>12}{'all steps':>12}")
        lines += [f"{lag + 1:>6}{self.slopes[lag]:>12.4f}{self.worth[lag]:>12.4f}" for lag in order]
        return "\n".join(lines)

    @staticmethod
    def draw(several: Sequence["Lags"], folder: Path) -> list[Path]:
        """Draws the effect of each lag, a line for each model, as a PNG file."""
        from seqlab.figures import new_figure, save_figure

        figure, axes = new_figure()
        for one in several:
            axes.plot(np.arange(1, len(one.worth) + 1), one.worth, label=one.model)
        axes.set(xlabel="lag, steps back", ylabel="mean change of the forecast", title="Effect of each lag")
        axes.legend()
        save_figure(figure, folder / "lags.png")
        return [folder / "lags.png"]


def worth_of_lags(network: nn.Module, history: Tensor, known: Tensor, model: str, shown: int) -> Lags:
    """The derivatives of a forecast by its history, over windows.

    Args:
        network: History and known features -> forecast ``(batch, horizon, columns)``.
        history: ``(batch, history, columns)``.
        known: Known features ``(batch, history + horizon, features)``.
        model: Name of the model.
        shown: Number of lags to list.
    """
    values = history.clone().requires_grad_()
    with torch.enable_grad():
        said = network(values, known)
        each = [torch.autograd.grad(said[:, k].sum(), values, retain_graph=True)[0] for k in range(said.shape[1])]
    slopes, worth = each[0].mean((0, 2)), torch.stack(each).abs().mean((0, 1, 3))
    return Lags(model, slopes.flip(0).double().cpu().numpy(), worth.flip(0).double().cpu().numpy(), shown)
