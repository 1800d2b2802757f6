"""The language model: what a recurrent network does with text under a Trainer."""

import inspect
from functools import partial
from typing import Any, ClassVar, Literal, Self

from torch.optim import Adam

from seqlab.data.streams import TextBatch
from seqlab.errors import UserError
from seqlab.models.model import OptimizerCallable, SchedulerCallable
from seqlab.models.text_model import TextModel
from seqlab.nn.language_network import LanguageNetwork
from seqlab.text.codec import Codec


class LanguageModel(TextModel):
    """A recurrent language model trained by truncated backpropagation through time.

    The state is carried from a batch to the next where the batch says that it continues, detached in between.

    Args:
        vocab_size: Ids that go in and logits that come out.
        bidirectional: Refused: a language model must not see the token that it predicts.
        vectors: File of word vectors, a token and its numbers a line, plain or .gz, that the embedding begins with.
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

    def __init__(
        self,
        vocab_size: int,
        bidirectional: bool = False,
        vectors: str | None = None,
        l1: float = 0.0,
        optimizer: OptimizerCallable = partial(Adam, lr=0.002),
        lr_scheduler: SchedulerCallable | None = None,
        lr_interval: Literal["epoch", "step"] = "epoch",
        codec: Codec | None = None,
        **network: Any,
    ) -> None:
        if bidirectional:
            raise UserError(
                "bidirectional true cannot be had in a language model: its backward half would read the very tokens "
                "that are to be predicted; leave out --model.bidirectional"
            )
        if l1 < 0:
            raise UserError(f"l1 {l1} must be at least 0")
        made = LanguageNetwork(vocab_size, **network)
        super().__init__(made, codec, optimizer, lr_scheduler, lr_interval)
        options = inspect.signature(LanguageNetwork).bind(vocab_size, **network)
        options.apply_defaults()
        self.save_hyperparameters({**options.arguments, "bidirectional": bidirectional, "l1": l1})
        self.l1 = l1
        if vectors is not None:
            if made.embedding is None:
                raise UserError("vectors need an embedding; give --model.embedding_size, or leave out --model.vectors")
            if codec is None:
                raise UserError("vectors need a codec, which knows the tokens; give codec=data.codec")
            self._set_vectors(made.embedding, vectors, codec.vocab)

    def training_step(self, batch: TextBatch, batch_idx: int) -> dict[str, Any]:
        outputs = super().training_step(batch, batch_idx)
        if self.l1:
            outputs["loss"] = outputs["loss"] + self.l1 * sum(part.abs().sum() for part in self.network.parameters())
        return outputs

    def flops_per_token(self) -> int:
        """A multiplication and an addition for each weight going forward, two of each going back."""
        assert isinstance(self.network, LanguageNetwork)
        return 6 * self.network.weights_multiplied()

    @classmethod
    def from_checkpoint(cls, checkpoint: dict[str, Any]) -> Self:
        return cls(**checkpoint["hyper_parameters"], codec=Codec.from_state(checkpoint["seqlab"]["codec"]))
