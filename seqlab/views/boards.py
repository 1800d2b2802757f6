"""TensorBoard writers for views, and the protocols of models and data that views need."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import lightning.pytorch as pl
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from seqlab.board_tags import picture_tag
from seqlab.text.codec import Codec


class Writes(Protocol):
    """A model that continues a text."""

    network: nn.Module
    codec: Codec


class Translates(Protocol):
    """A model that translates, and its codecs."""

    network: Any
    source_codec: Codec
    target_codec: Codec
    training: bool
    device: Any

    def eval(self) -> Any: ...

    def train(self, mode: bool = True) -> Any: ...

    def beam(self) -> Any: ...

    def shown_sources(self, data: Any) -> list[str]: ...

    def sample(self, data: Any) -> str: ...


class Text(Protocol):
    """A text in parts."""

    num_steps: int
    codec: Codec

    @property
    def watched_part(self) -> str: ...

    def part(self, split: Any) -> Any: ...


class Pairs(Protocol):
    """Sentence pairs in parts."""

    def evaluation_loader(self, split: Any) -> Any: ...

    def pairs(self, split: Any) -> Sequence[tuple[str, str]]: ...


def boards(trainer: pl.Trainer) -> list[SummaryWriter]:
    """The writers of this run's TensorBoard logs; none on other processes than the first, or in a sanity check."""
    if trainer.sanity_checking or not trainer.is_global_zero:
        return []
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def add_picture(writer: SummaryWriter, name: str, figure: Any, step: int) -> None:
    """Shows a figure of matplotlib under the tag of ``picture_tag``."""
    writer.add_figure(picture_tag(name), figure, step, close=False)


def boards_of_validation(trainer: pl.Trainer) -> tuple[list[SummaryWriter], Any]:
    """The writers, none without a validation part, and the data."""
    data = getattr(trainer, "datamodule", None)
    return (boards(trainer) if data is not None and data.has("val") else []), data


class ValidationView(pl.Callback):
    """A view at the end of training, or on request at each validation.

    Args:
        pictures: Whether to show the view at each validation.
    """

    def __init__(self, pictures: bool) -> None:
        self.pictures = pictures

    @abstractmethod
    def show(self, writers: Sequence[SummaryWriter], data: Any, pl_module: pl.LightningModule, step: int) -> None:
        """Writes the view at an optimizer step; ``data`` has a validation part."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.pictures:
            self._show(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.pictures:
            self._show(trainer, pl_module)

    def _show(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writers, data = boards_of_validation(trainer)
        if writers:
            self.show(writers, data, pl_module, trainer.global_step)
