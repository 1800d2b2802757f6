"""Text samples of a language model during training."""

from collections.abc import Sequence
from typing import Any, cast

import lightning.pytorch as pl

from seqlab.decoding.text import continue_text
from seqlab.errors import UserError
from seqlab.views.boards import Writes, boards

SEED = 0


class TextSamples(pl.Callback):
    """Continues a prompt after a validation, as text in TensorBoard.

    Args:
        prompt: Text to continue.
        num_tokens: Tokens to draw.
        temperatures: Temperatures of the draws, one sample each.
        every: Fewest optimizer steps from one sample to the next.
    """

    def __init__(
        self,
        prompt: str,
        num_tokens: int = 160,
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
        model = cast(Writes, pl_module)
        seeds = [SEED] * len(self.temperatures)
        asked = self.prompt, self.num_tokens, self.temperatures
        try:
            (texts,) = continue_text(model.network, model.codec, *asked, seeds=seeds, streaming=False)
        except UserError as error:  # an unsmoothed n-gram model reached a dead end
            texts = [f"({error})"] * len(seeds)
        labels = [f"sample/temperature {temperature:g}" for temperature in self.temperatures]
        for writer in writers:
            for label, text in zip(labels, texts, strict=True):
                writer.add_text(label, f"```\n{text}\n```", trainer.global_step)
