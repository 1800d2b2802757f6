"""What a recurrence does with its memory, while it learns."""

import sys
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from seqlab.analysis.activations import LayerRun, half_lives, read, saturations, windows
from seqlab.analysis.gradient_flow import gradient_by_lag, recurrent_radii
from seqlab.errors import reason_of
from seqlab.files import write_whole
from seqlab.nn.language_network import LanguageNetwork
from seqlab.views.boards import Text, boards

ROWS = 8
"""Pieces of held-out text that are looked at."""
BINS = np.linspace(0, 1, 51)
"""Borders of the histograms of gates."""
SHOWN_TOKENS = 192
SHOWN_UNITS = 4


class RecurrenceWatch(pl.Callback):
    """Looks, after a validation, at a few pieces of held-out text.

    As numbers: the gradient of a step's loss k steps back (``gradient_flow/layer0_lag_8``), each gate's shares of
    values below 0.1 and above 0.9 (``gates/layer0/z_closed``, ``_open``), the spectral radius of each gate's
    recurrent weights, the norm of the state. As histograms: every gate. When training ends, as a figure: the gradient
    by lag of the top layer over the whole of training.

    Args:
        folder: Of the run.
        pictures: Whether to draw the units that remember the longest, and the gates, too.
        every: Optimizer steps from one look to the next, at least.
    """

    def __init__(self, folder: Path, pictures: bool, every: int = 1) -> None:
        self.folder, self.pictures, self.every = folder, pictures, every
        self.steps: list[int] = []
        self.norms: list[list[float]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "norms": self.norms}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps, self.norms = list(state_dict["steps"]), list(state_dict["norms"])

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writers = boards(trainer)
        if not writers or (self.steps and trainer.global_step - self.steps[-1] < self.every):
            return
        network, data = cast(LanguageNetwork, pl_module.network), trainer.datamodule
        pieces = windows(held_out(data), ROWS, data.num_steps).to(pl_module.device)
        norms = gradient_by_lag(network, pieces[:, :-1], pieces[:, 1:]).cpu()
        self.steps.append(trainer.global_step)
        self.norms.append(norms[-1].tolist())
        layers = read(network, pieces[:, :-1])
        values = flow(norms) | {f"spectral_radius/{name}": radius for name, radius in recurrent_radii(network).items()}
        for name, (closed, opened) in saturations(layers).items():
            values |= {f"gates/{name}_closed": float(closed.mean()), f"gates/{name}_open": float(opened.mean())}
        for k, layer in enumerate(layers):
            values[f"state_norm/layer{k}"] = float(layer.states[-1].float().norm(dim=-1).mean())
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)
        for writer in writers:
            for k, layer in enumerate(layers):
                for name, gate in layer.gates.items():
                    writer.add_histogram(f"gates/layer{k}/{name}", gate, trainer.global_step, bins=BINS)
            if self.pictures:
                self._draw(writer, trainer, network, layers)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for writer in boards(trainer) if self.steps else []:
            from seqlab.analysis.pictures import draw_gradient_history

            history = draw_gradient_history(self.steps, torch.tensor(self.norms))
            writer.add_figure("gradient_flow/by_lag", history, trainer.global_step, close=False)

    def _draw(
        self, writer: SummaryWriter, trainer: pl.Trainer, network: LanguageNetwork, layers: list[LayerRun]
    ) -> None:
        from seqlab.analysis import pictures

        data, device = trainer.datamodule, next(network.parameters()).device
        text = torch.from_numpy(held_out(data)[:SHOWN_TOKENS].astype("int64"))
        units = half_lives(layers[-1].states[-1]).argsort(descending=True, stable=True)[:SHOWN_UNITS]
        values = read(network, text.unsqueeze(0).to(device))[-1].states[-1][:, 0, units].float().cpu()
        tokens, names = data.codec.vocab.tokens(text.tolist()), [f"unit {unit}" for unit in units.tolist()]
        figures = {"units": pictures.draw_units(tokens, values, names)}
        if gates := saturations(layers):
            figures["gates"] = pictures.draw_saturation(gates)
        for name, figure in figures.items():
            writer.add_figure(name, figure, trainer.global_step, close=False)
        page = pictures.units_as_html(tokens, values, names)
        try:
            write_whole(self.folder / "units.html", page)
        except OSError as error:
            words = f"cannot write {self.folder / 'units.html'}: {reason_of(error)}; training goes on"
            print(f"seqlab: {words}", file=sys.stderr)


def held_out(data: Text) -> NDArray[Any]:
    """Ids of the validation part, or where there is none of the training part."""
    return data.part("val" if data.has("val") else "train").ids


def flow(norms: Tensor) -> dict[str, float]:
    """Norms ``(layers, lags)`` at the lags 1, 2, 4, ... and the longest."""
    longest = norms.shape[1] - 1
    lags = sorted({1 << power for power in range(longest.bit_length())} | {longest})
    return {f"gradient_flow/layer{k}_lag_{lag}": float(row[lag]) for k, row in enumerate(norms) for lag in lags}
