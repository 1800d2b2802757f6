"""What the model would write now."""

import lightning.pytorch as pl
from lightning.pytorch.loggers import TensorBoardLogger

from seqlab.models.sequence_model import SequenceModel
from seqlab.models.text_model import TextModel


class TextSamples(pl.Callback):
    """Continues a prompt after each validation, or translates a few sentences, as text in TensorBoard.

    Args:
        prompt: Text that a language model continues.
        num_tokens: Tokens to draw.
        temperature: Of the draws.
    """

    def __init__(self, prompt: str | None, num_tokens: int = 100, temperature: float = 0.8) -> None:
        self.prompt, self.num_tokens, self.temperature = prompt, num_tokens, temperature

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        boards = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if trainer.sanity_checking or not trainer.is_global_zero or not boards:
            return
        assert isinstance(pl_module, SequenceModel)
        if isinstance(pl_module, TextModel):
            label = f"sample/temperature {self.temperature}"
            text = pl_module.generate(self.prompt or "", self.num_tokens, self.temperature)
        else:
            label, text = "sample/translations", pl_module.sample(trainer.datamodule)
        for board in boards:
            board.experiment.add_text(label, f"```\n{text}\n```", trainer.global_step)
