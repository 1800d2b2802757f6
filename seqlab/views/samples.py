"""What the model would write now."""

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl

from seqlab.decoding.text import continue_text
from seqlab.errors import UserError
from seqlab.models.model import SequenceModel
from seqlab.models.text_model import TextModel
from seqlab.views.boards import boards

SEED = 0


class TextSamples(pl.Callback):
    """Continues a prompt after a validation, or translates a few sentences, as text in TensorBoard.

    Args:
        prompt: Text that a language model continues.
        num_tokens: Tokens to draw.
        temperatures: Of the draws, one sample each.
        every: Optimizer steps from one sample to the next, at least.
    """

    def __init__(
        self,
        prompt: str | None,
        num_tokens: int = 64,
        temperatures: Sequence[float] = (0.5, 0.8, 1),
        every: int = 1,
    ) -> None:
        self.prompt, self.num_tokens, self.temperatures = prompt, num_tokens, tuple(temperatures)
        self.every = every
        self._last: int | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"last": self._last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._last = state_dict["last"]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writers = boards(trainer)
        if not writers or (self._last is not None and trainer.global_step - self._last < self.every):
            return
        self._last = trainer.global_step
        assert isinstance(pl_module, SequenceModel)
        if isinstance(pl_module, TextModel):
            assert pl_module.codec is not None
            seeds = [SEED] * len(self.temperatures)
            asked = self.prompt or "", self.num_tokens, self.temperatures
            try:
                (texts,) = continue_text(pl_module.network, pl_module.codec, *asked, seeds=seeds, streaming=False)
            except UserError as error:  # an unsmoothed model of counts has come to a dead end
                texts = [f"({error})"] * len(seeds)
            labels = [f"sample/temperature {temperature:g}" for temperature in self.temperatures]
        else:
            labels, texts = ["sample/translations"], [pl_module.sample(trainer.datamodule)]
        for writer in writers:
            for label, text in zip(labels, texts, strict=True):
                writer.add_text(label, f"```\n{text}\n```", trainer.global_step)
