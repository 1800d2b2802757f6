"""TensorBoard, for what is more than a number."""

import lightning.pytorch as pl
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter


def boards(trainer: pl.Trainer) -> list[SummaryWriter]:
    """The writers of this run's TensorBoard logs; none on processes but the first, or while Lightning checks itself."""
    if trainer.sanity_checking or not trainer.is_global_zero:
        return []
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
