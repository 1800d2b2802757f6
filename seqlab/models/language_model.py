"""The language model: what a recurrent network does with text under a Trainer."""

import inspect
from functools import partial
from typing import Any, ClassVar, Literal, Self

from torch import Tensor
from torch.optim import Adam

from seqlab.data.data_module import DataModule
from seqlab.data.streams import TextBatch
from seqlab.data.text_data import TextData
from seqlab.decoding.text import continue_text
from seqlab.errors import UserError
from seqlab.models.sequence_model import OptimizerCallable, SchedulerCallable, SequenceModel
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.recurrent import State
from seqlab.text.codec import Codec

SAMPLE_TOKENS = 200


class LanguageModel(SequenceModel):
    """A recurrent language model trained by truncated backpropagation through time.

    The state is carried from a batch to the next where the batch says that it continues, detached in between.

    Args:
        vocab_size: Ids that go in and logits that come out.
        bidirectional: Refused: a language model must not see the token that it predicts.
        l1: Weight of the sum of absolute weights in the training loss.
        optimizer: Parameters -> optimizer.
        lr_scheduler: Optimizer -> learning-rate schedule; none keeps the rate.
        lr_interval: Whether the schedule steps after every ``epoch`` or every optimizer ``step``.
        codec: Between text and ids; kept in checkpoints, needed by ``generate``.
        network: Options of ``LanguageNetwork``.

    Raises:
        UserError: An option makes no language model.
    """

    kind: ClassVar[str] = "language_model"
    reads: ClassVar[type[DataModule]] = TextData

    def __init__(
        self,
        vocab_size: int,
        bidirectional: bool = False,
        l1: float = 0.0,
        optimizer: OptimizerCallable = partial(Adam, lr=0.002),
        lr_scheduler: SchedulerCallable | None = None,
        lr_interval: Literal["epoch", "step"] = "epoch",
        codec: Codec | None = None,
        **network: Any,
    ) -> None:
        super().__init__(optimizer, lr_scheduler, lr_interval)
        options = inspect.signature(LanguageNetwork).bind(vocab_size, **network)
        options.apply_defaults()
        self.save_hyperparameters({**options.arguments, "bidirectional": bidirectional, "l1": l1})
        if bidirectional:
            raise UserError(
                "bidirectional true cannot be had in a language model: its backward half would read the very tokens "
                "that are to be predicted; leave out --model.bidirectional"
            )
        if l1 < 0:
            raise UserError(f"l1 {l1} must be at least 0")
        self.network = LanguageNetwork(vocab_size, **network)
        self.l1 = l1
        self.codec = codec
        self._carry: dict[str, State] = {}

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits ``(batch, time, vocab_size)`` of the token after each of ``ids`` ``(batch, time)``, and the state."""
        logits, state = self.network(ids, state)
        return logits, state

    def _nats(self, batch: TextBatch, stage: str) -> tuple[Tensor, int | Tensor]:
        carried = self._carry.get(stage) if batch.continues else None
        nats, tokens, state = self.network.nats(batch.inputs, batch.targets, batch.valid, carried)
        self._carry[stage] = tuple(part.detach().float() for part in state)
        return nats, tokens

    def training_step(self, batch: TextBatch, batch_idx: int) -> dict[str, Any]:
        outputs = super().training_step(batch, batch_idx)
        if self.l1:
            outputs["loss"] = outputs["loss"] + self.l1 * sum(part.abs().sum() for part in self.network.parameters())
        return outputs

    @classmethod
    def from_checkpoint(cls, checkpoint: dict[str, Any]) -> Self:
        return cls(**checkpoint["hyper_parameters"], codec=Codec.from_state(checkpoint["seqlab"]["codec"]))

    def forget(self) -> None:
        self._carry = {}

    def codec_state(self) -> dict[str, object] | None:
        return self.codec.state() if self.codec else None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["seqlab"]["carry"] = list(self._carry.get("train", ()))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        carry = checkpoint["seqlab"]["carry"]
        self._carry = {"train": tuple(part.to(self.device) for part in carry)} if carry else {}

    def sample(self, data: TextData) -> str:
        return self.generate(data.prompt or "", SAMPLE_TOKENS)

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
        *_, texts = continue_text(self.network, self.codec, prefix, num_tokens, temperature, top_k, top_p, [seed])
        return str(texts[0])
