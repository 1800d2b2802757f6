"""Views of a recurrence's gates, units and gradients during training."""

import sys
from pathlib import Path
from typing import cast

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from seqlab.analysis.activations import LayerRun, half_lives, read, saturations, windows
from seqlab.analysis.gradient_flow import gradient_by_lag, recurrent_radii
from seqlab.board_tags import board_tag
from seqlab.errors import reason_of
from seqlab.files import write_whole
from seqlab.nn.language_network import LanguageNetwork
from seqlab.views.boards import add_picture, boards
from seqlab.views.gradient_watch import GradientWatch, flow, held_out

ROWS = 8
"""Pieces of held-out text in a view."""
BINS = np.linspace(0, 1, 51)
"""Bin borders of the histograms of gates."""
SHOWN_TOKENS = 192
SHOWN_UNITS = 4


class RecurrenceWatch(GradientWatch):
    """Shows the recurrence on a few pieces of held-out text after a validation.

    It logs numbers: the gradient of a step's loss k steps back (``gradient_flow/layer0_lag_8``), each gate's shares of
    values below 0.1 and above 0.9 (``gates/layer0/z_closed``, ``_open``), the spectral radius of each gate's recurrent
    weights, the norm of the state. It logs a histogram of every gate. At the end of training it draws the gradient by
    lag of the top layer over the whole training.

    Args:
        folder: Folder of the run.
        pictures: Whether to draw also the units with the longest memory, and the gates.
        every: Fewest optimizer steps from one view to the next.
    """

    def __init__(self, folder: Path, pictures: bool, every: int = 1) -> None:
        super().__init__(every)
        self.folder, self.pictures = folder, pictures

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.is_due(trainer):
            return
        network, data = cast(LanguageNetwork, pl_module.neural), trainer.datamodule
        pieces = windows(held_out(data), ROWS, data.num_steps).to(pl_module.device)
        norms = gradient_by_lag(network, pieces[:, :-1], pieces[:, 1:]).cpu()
        self.keep(trainer, norms[-1])
        layers = read(network, pieces[:, :-1])
        values = flow(norms) | {f"spectral_radius/{name}": radius for name, radius in recurrent_radii(network).items()}
        for name, (closed, opened) in saturations(layers).items():
            values |= {f"gates/{name}_closed": float(closed.mean()), f"gates/{name}_open": float(opened.mean())}
        for k, layer in enumerate(layers):
            values[f"state_norm/layer{k}"] = float(layer.states[-1].float().norm(dim=-1).mean())
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)
        for writer in boards(trainer):
            for k, layer in enumerate(layers):
                for name, gate in layer.gates.items():
                    writer.add_histogram(board_tag(f"gates/layer{k}/{name}"), gate, trainer.global_step, bins=BINS)
            if self.pictures:
                self._draw(writer, trainer, network, layers)

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
            add_picture(writer, name, figure, trainer.global_step)
        page = pictures.units_as_html(tokens, values, names)
        try:
            write_whole(self.folder / "units.html", page)
        except OSError as error:
            words = f"cannot write {self.folder / 'units.html'}: {reason_of(error)}; training goes on"
            print(f"seqlab: {words}", file=sys.stderr)
