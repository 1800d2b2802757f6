"""What every model of one text does: carry a state through it, and write."""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from seqlab.data.data_module import DataModule
from seqlab.data.streams import TextBatch
from seqlab.data.text import TextData
from seqlab.decoding.text import continue_text
from seqlab.errors import UserError
from seqlab.models.model import OptimizerCallable, SchedulerCallable, SequenceModel
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.ngram import NGram
from seqlab.recurrence.stack import State
from seqlab.text.codec import Codec

SAMPLE_TOKENS = 200


class TextModel(SequenceModel):
    """A model that predicts each token of a text from those before it.

    The state is carried from a batch to the next where the batch says that it continues, detached in between.

    Args:
        network: Ids and state -> logits and state.
        codec: Between text and ids; kept in checkpoints, needed by ``generate``.
        optimizer: Parameters -> optimizer.
        lr_scheduler: Optimizer -> learning-rate schedule; none keeps the rate.
        lr_interval: Whether the schedule steps after every ``epoch`` or every optimizer ``step``.
    """

    reads: ClassVar[type[DataModule]] = TextData

    def __init__(
        self,
        network: LanguageNetwork | NGram,
        codec: Codec | None,
        optimizer: OptimizerCallable,
        lr_scheduler: SchedulerCallable | None,
        lr_interval: Literal["epoch", "step"],
    ) -> None:
        super().__init__(optimizer, lr_scheduler, lr_interval)
        self.network, self.codec = network, codec
        self._carry: dict[str, State] = {}

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits ``(batch, time, vocab_size)`` of the token after each of ``ids`` ``(batch, time)``, and the state."""
        logits, state = self.network(ids, state)
        return logits, state

    def _nats(self, batch: TextBatch, stage: str) -> tuple[Tensor, int | Tensor]:
        device, carried = batch.inputs.device, self._carry.get(stage) if batch.continues else None
        before = None if carried is None else tuple(part.to(device) for part in carried)
        nats, tokens, state = self.network.nats(batch.inputs, batch.targets, batch.valid, before)
        self._carry[stage] = tuple(part.detach().to(torch.promote_types(part.dtype, torch.float32)) for part in state)
        return nats, tokens

    def forget(self) -> None:
        self._carry = {}

    def codec_state(self) -> dict[str, object] | None:
        return self.codec.state() if self.codec else None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["seqlab"]["carry"] = [self._of_all_rows(part) for part in self._carry.get("train", ())]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        carry = checkpoint["seqlab"]["carry"]
        self._carry = {"train": tuple(self._of_own_rows(part) for part in carry)} if carry else {}

    def _of_all_rows(self, part: Tensor) -> Tensor:
        """A part of the state ``(layers, rows, hidden_size)`` of the rows of all processes, in their order."""
        if self._trainer is None or self._trainer.world_size == 1:
            return part
        return torch.cat([*self.all_gather(part)], dim=1)

    def _of_own_rows(self, part: Tensor) -> Tensor:
        """The rows of a global batch that this process reads."""
        if self._trainer is None or self._trainer.world_size == 1:
            return part
        return part.chunk(self._trainer.world_size, dim=1)[self._trainer.global_rank].contiguous()

    def sample(self, data: TextData) -> str:
        try:
            return self.generate(data.prompt or "", SAMPLE_TOKENS)
        except UserError as error:  # an unsmoothed model of counts has come to a dead end
            return f"({error})"

    def generate(
        self,
        prefix: str = "",
        num_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> str:
        """Text that continues a prefix.

        Args:
            prefix: Text to continue.
            num_tokens: Tokens to draw.
            temperature: Divides the logits; 0 takes the most likely token.
            top_k: Draw among the k most likely tokens only.
            top_p: Draw among the fewest tokens whose probabilities sum to at least p.
            seed: Of the draws.

        Returns:
            The prefix and what follows it.

        Raises:
            UserError: A value is out of its range, or the model was made without a codec.
        """
        if self.codec is None:
            raise UserError("this model was made without a codec, so it cannot read text; give codec=data.codec")
        asked = prefix, num_tokens, temperature, top_k, top_p, [seed]
        ((text,),) = continue_text(self.network, self.codec, *asked, streaming=False)
        return text
